/* tests/lib/faults/faults.h: the n-th system call that changes something fails, or is never made because the process
 * dies there. Counted are calls of our own code (linked statically) in the process that armed it; children are spared.
 */
#ifndef KEDGE_TESTS_LIB_FAULTS_FAULTS_H
#define KEDGE_TESTS_LIB_FAULTS_FAULTS_H

#include <stdint.h>

enum fault_kind {
	FAULT_NONE,       /* only count */
	FAULT_KILL,       /* SIGKILL instead of the call */
	FAULT_KILL_AFTER, /* SIGKILL after the call */
	FAULT_ERRNO,      /* -1 and this errno */
	FAULT_POWER,      /* the power of a file system goes (tests/lib/disk.h), and SIGKILL, instead of the call */
};

/* From now on; at counts from 1. */
void faults_arm(enum fault_kind kind, int sys_errno, uint64_t at);
/* FAULT_POWER: of the file system that fd lies on. */
void faults_arm_power(int fd, uint64_t at);
/* Counts calls of this name alone ("renameat2"). */
void faults_arm_call(enum fault_kind kind, int sys_errno, const char *name, uint64_t at);
void faults_disarm(void);
uint64_t faults_count(void);   /* calls since it was armed */
const char *faults_name(void); /* of the call that was hit, or the last one */

#endif
