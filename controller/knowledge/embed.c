/* controller/knowledge/embed.c: the shipped model as bytes of the program, so that it is there whatever is installed.
 */
__asm__(".section .rodata\n"
	".global kedge_error_model\n"
	".global kedge_error_model_end\n"
	"kedge_error_model:\n"
	".incbin \"" KEDGE_ERROR_MODEL "\"\n"
	"kedge_error_model_end:\n"
	".byte 0\n"
	".previous\n");
typedef int not_empty; /* a file must declare something */
