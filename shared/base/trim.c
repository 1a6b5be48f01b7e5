#include "shared/base/trim.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments without write permission were never written: dropping them loses nothing. */
static int drop_code(struct dl_phdr_info *object, size_t size, void *page_size)
{
	uintptr_t page = *(uintptr_t *)page_size;
	(void)size;
	for (int i = 0; i < object->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &object->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || p->p_flags & PF_W)
			continue;
		uintptr_t from = (object->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = (object->dlpi_addr + p->p_vaddr + p->p_memsz + page - 1) & ~(page - 1);
		(void)madvise((void *)from, to - from, MADV_DONTNEED); /* refused: then it stays */
	}
	return 0;
}

void trim_memory(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	malloc_trim(0);
	(void)dl_iterate_phdr(drop_code, &page);
}
