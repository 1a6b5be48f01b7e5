/* shared/ws/loop_uv.c: libuv's loop is made and run here, not inside libwebsockets: one that it makes itself takes
 * SIGINT, SIGTERM, SIGHUP, SIGSEGV and SIGFPE over and cannot be left without destroying the context. */
#include <stdlib.h>
#include <uv.h>

#include "shared/ws/internal.h"

void ws_loop_uv_make(struct lws_context_creation_info *info, struct ws_loop *loop)
{
	static _Thread_local void *loops[1]; /* only read during lws_create_context() */
	uv_loop_t *uv = calloc(1, sizeof(*uv));
	if (!uv || uv_loop_init(uv) != 0) {
		free(uv);
		return;
	}
	loop->uv = uv;
	loops[0] = uv;
	info->foreign_loops = loops;
	info->options |= LWS_SERVER_OPTION_LIBUV;
}

void ws_loop_uv_run(struct ws_loop *loop)
{
	uv_run(loop->uv, UV_RUN_DEFAULT);
}

void ws_loop_uv_stop(struct ws_loop *loop)
{
	uv_stop(loop->uv);
}

void ws_loop_uv_free(struct ws_loop *loop)
{
	uv_loop_close(loop->uv);
	free(loop->uv);
	loop->uv = NULL;
}
