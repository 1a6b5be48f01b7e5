/* controller/recovery/trouble.c: what is wrong with the ways back, for how long, and what of it is news. */
#include "controller/recovery/internal.h"

enum {
	HOLD_MS = 3600 * 1000,       /* what comes and goes within an hour of being told is one matter */
	AGAIN_MS = 24 * 3600 * 1000, /* what lasts is said again every day */
};

static enum err_code begins(struct turn *t, struct trouble *x, enum trouble_news *ret, struct err *reterr)
{
	uint64_t now_ms = turn_now_ms(t);
	bool held = x->told_ms && now_ms < x->told_ms + HOLD_MS;
	x->since_ms = now_ms;
	x->over_ms = 0;
	if (!held)
		x->told_ms = now_ms;
	*ret = held ? TROUBLE_NO_NEWS : TROUBLE_BEGAN;
	return turn_put(t, &trouble_table, x, reterr);
}

static enum err_code lasts(struct turn *t, struct trouble *x, enum trouble_news *ret, struct err *reterr)
{
	uint64_t now_ms = turn_now_ms(t);
	bool due = now_ms >= x->told_ms + (x->told_ms < x->since_ms ? HOLD_MS : AGAIN_MS);
	*ret = due ? TROUBLE_LASTS : TROUBLE_NO_NEWS;
	if (!due)
		return ERR_OK;
	x->told_ms = now_ms;
	return turn_put(t, &trouble_table, x, reterr);
}

static enum err_code ends(struct turn *t, struct trouble *x, enum trouble_news *ret, struct err *reterr)
{
	*ret =
	    x->told_ms >= x->since_ms ? TROUBLE_OVER : TROUBLE_NO_NEWS; /* who was not called need not be called off */
	x->over_ms = turn_now_ms(t);
	return turn_put(t, &trouble_table, x, reterr);
}

enum err_code recovery_trouble(struct turn *t, const struct host *h, const char *service, const char *what, bool wrong,
    enum trouble_news *ret, struct trouble *ret_trouble, struct err *reterr)
{
	struct trouble x = {.host = h->name, .service = service ? service : "-", .what = what};
	bool known;
	enum trouble_news news = TROUBLE_NO_NEWS;
	enum err_code rc = turn_get(t, &trouble_table, &x, &x, &known, reterr);
	if (rc != ERR_OK)
		return rc;
	bool open = known && !x.over_ms;
	if (wrong)
		rc = open ? lasts(t, &x, &news, reterr) : begins(t, &x, &news, reterr);
	else if (open)
		rc = ends(t, &x, &news, reterr);
	if (rc != ERR_OK)
		return rc;
	*ret = news;
	*ret_trouble = x;
	return ERR_OK;
}

enum err_code recovery_trouble_since(
    struct turn *t, const struct host *h, const char *service, const char *what, uint64_t *ret_ms, struct err *reterr)
{
	struct trouble x = {.host = h->name, .service = service ? service : "-", .what = what};
	bool known;
	enum err_code rc = turn_get(t, &trouble_table, &x, &x, &known, reterr);
	if (rc == ERR_OK)
		*ret_ms = known && !x.over_ms ? x.since_ms : 0;
	return rc;
}
