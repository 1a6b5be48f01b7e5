#include "controller/store/internal.h"

#include <assert.h>

void store_close(struct store *s)
{
	if (s)
		s->ops->close(s);
}

static enum err_code broken(struct err *reterr)
{
	return err_set(reterr, ERR_STATE, "the store is not usable after a failed commit: start the controller again");
}

enum err_code store_view_open(struct store *s, const char *who, struct store_view **ret, struct err *reterr)
{
	if (__atomic_load_n(&s->broken, __ATOMIC_ACQUIRE))
		return broken(reterr);
	return s->ops->view_open(s, who, ret, reterr);
}

void store_view_close(struct store_view *v)
{
	if (v)
		v->store->ops->view_close(v);
}

const struct turn_view *store_view_turn(const struct store_view *v)
{
	return &v->turn;
}

enum err_code store_commit(struct store *s, const struct turn_write *writes, size_t count, struct err *reterr)
{
	if (__atomic_load_n(&s->broken, __ATOMIC_ACQUIRE))
		return broken(reterr);
	if (!count)
		return ERR_OK;
	enum err_code rc = s->ops->commit(s, writes, count, reterr);
	if (rc != ERR_OK)
		__atomic_store_n(&s->broken, true, __ATOMIC_RELEASE);
	return rc;
}

void store_check(struct store *s, struct store_stats *ret)
{
	s->ops->check(s, ret);
}
