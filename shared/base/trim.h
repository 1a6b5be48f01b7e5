/* shared/base/trim.h: memory that was needed once is given back.
 *
 * Making contexts and shaking hands runs through megabytes of the libraries' code and constants that an idle link never
 * touches again.  They are clean pages of files: dropped, the few that are needed come back with a page fault from the
 * page cache.  Freed heap goes back too.  Costs well below a millisecond; any thread. */
#ifndef KEDGE_SHARED_BASE_TRIM_H
#define KEDGE_SHARED_BASE_TRIM_H

void trim_memory(void);

#endif
