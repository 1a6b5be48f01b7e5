/* controller/cli/change.c: changes: looking at one, approving it by signature, beginning it. */
#include <string.h>

#include "controller/cli/command.h"
#include "shared/approval/approval.h"
#include "shared/base/cleanup.h"
#include "shared/base/file.h"
#include "shared/base/text.h"

struct change_page {
	const struct change *change;
	struct list approvals;
};
#define S struct change_page
static const struct field page_fields[] = {
    F_RECORD(S, change, struct change, &change_type, FIELD_REQUIRED, "the change"),
    F_LIST(S, approvals, &change_approval_type, QUERY_LIMIT_MAX, 0, "who said what"),
};
#undef S
const struct record_type change_page_type =
    RECORD_TYPE("change_page", struct change_page, page_fields, "a change with the words of its approvers");

static enum err_code fetch(struct cli *c, struct change *x)
{
	return api_one(c, "change", cli_word(c, "change"), x);
}

/* What is signed is computed from the plan that was shown, here; what the controller calls its digest must be the same.
 */
static enum err_code own_digest(struct cli *c, const struct change *x, struct digest *ret)
{
	struct digest d;
	if (!x->plan)
		return err_set(&c->err, ERR_STATE, "CHG-%llu holds no plan", (unsigned long long)x->number);
	enum err_code rc = plan_digest(x->plan, &d, &c->err);
	if (rc == ERR_OK && memcmp(d.b, x->plan_digest.b, sizeof d.b) != 0)
		rc = err_set(&c->err, ERR_DENIED,
		    "the controller's digest is not that of the plan it shows: nothing was signed.  Tell whoever runs "
		    "the controller");
	if (rc == ERR_OK)
		*ret = d;
	return rc;
}

int run_change_show(struct cli *c)
{
	struct change x;
	struct change_page p = {.change = &x};
	struct rows approvals;
	struct digest digest;
	char id[ID_TEXT_MAX];
	CLEANUP(buf_done) struct buf out = BUF_INIT;
	struct filter f = {"change", id};
	enum err_code rc = fetch(c, &x);
	if (rc == ERR_OK)
		id_format(ID_CHANGE, x.change, id);
	if (rc != ERR_OK || (rc = api_list(c, "approval", &f, 1, false, QUERY_LIMIT_MAX, &approvals)) != ERR_OK ||
	    (cli_for_people(c) && (rc = record_sheet(&change_type, &x, &c->table, &out, &c->err)) != ERR_OK))
		return cli_fail(c, rc);
	p.approvals = rows_list(c, &approvals);
	if (!cli_for_people(c))
		return out_page(c, &out, &change_page_type, &p);
	if (x.plan && (rc = own_digest(c, &x, &digest)) != ERR_OK)
		return cli_fail(c, rc);
	if (x.plan) {
		out_heading(&out, c, "Plan");
		plan_text(c, &out, x.plan, &digest);
	}
	if (p.approvals.count) {
		out_heading(&out, c, "Approvals");
		out_list(c, &out, &change_approval_type, &p.approvals, NULL, 2);
	}
	if (x.state == CHANGE_REQUESTED)
		buf_printf(&out, "\nNext: kedge change approve CHG-%llu, or kedge change reject CHG-%llu TEXT\n",
		    (unsigned long long)x.number, (unsigned long long)x.number);
	return out_page(c, &out, &change_page_type, &p);
}

/* ---- approving ---- */

static enum err_code choose_key(struct cli *c, const char **ret)
{
	const struct client_config *config;
	const char *key = words_option(&c->w, "key");
	enum err_code rc = cli_config(c, &config);
	if (rc == ERR_OK && !key)
		key = config->approval_key;
	if (rc == ERR_OK && !key)
		rc = err_set(&c->err, ERR_INVALID, "which key signs?  --key FILE, or approval_key in kedge.yaml");
	if (rc == ERR_OK)
		*ret = key;
	return rc;
}

/* A signature that hosts could not check is worth nothing: it is checked here before it is sent. */
static enum err_code sign(struct cli *c, const struct digest *digest, struct buf *out)
{
	char message[APPROVAL_MESSAGE_SIZE];
	struct sshsig sig;
	const char *key;
	approval_message(digest, message);
	enum err_code rc = choose_key(c, &key);
	if (rc != ERR_OK || (rc = c->io->sign(c->io->ctx, key, APPROVAL_NAMESPACE_PLAN, message, sizeof message, out,
				 &c->err)) != ERR_OK)
		return rc;
	if ((rc = sshsig_parse(buf_str(out), out->size, &sig, &c->err)) != ERR_OK)
		return err_prefix(&c->err, rc, "%s", key);
	if (!sshsig_verifies(&sig, APPROVAL_NAMESPACE_PLAN, message, sizeof message))
		return err_set(&c->err, ERR_INTERNAL, "ssh-keygen made a signature that does not verify");
	return ERR_OK;
}

static bool agreed(struct cli *c, const struct change *x)
{
	char answer[32];
	if (words_flag(&c->w, "yes"))
		return true;
	cli_say(c, "Approve CHG-%llu? Type its number to sign: ", (unsigned long long)x->number);
	uint64_t n;
	if (!c->io->read_line(c->io->ctx, answer, sizeof answer))
		return false;
	const char *digits = text_starts(answer, "CHG-") ? answer + 4 : answer;
	return text_u64(digits, &n, NULL) == ERR_OK && n == x->number;
}

static int post_approval(struct cli *c, const struct change *x, const char *signature)
{
	struct rollback_answer answer;
	char id[ID_TEXT_MAX];
	struct request_args a = {.change = id_format(ID_CHANGE, x->change, id), .signature = signature};
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	enum err_code rc = request_json(c, &a, &json);
	if (rc == ERR_OK)
		rc = api_post(c, "change/approve", buf_str(&json), false, &rollback_answer_type, &answer);
	if (rc != ERR_OK)
		return cli_fail(c, rc);
	if (answer.rollback)
		return follow(c, &answer);
	cli_say(c, "CHG-%llu has your approval%s\n", (unsigned long long)x->number,
	    answer.change->state == CHANGE_REQUESTED ? " and waits for others" : "");
	return out_record(c, &change_type, answer.change);
}

int run_change_approve(struct cli *c)
{
	struct change x;
	struct digest digest;
	const char *key;
	CLEANUP(buf_done) struct buf text = BUF_INIT, signature = BUF_INIT;
	enum err_code rc = choose_key(c, &key);
	if (rc != ERR_OK || (rc = fetch(c, &x)) != ERR_OK || (rc = own_digest(c, &x, &digest)) != ERR_OK)
		return cli_fail(c, rc);
	if (x.state != CHANGE_REQUESTED) {
		err_set(&c->err, ERR_STATE, "CHG-%llu is %s: it waits for nobody's word", (unsigned long long)x.number,
		    enum_name(&change_state_enum, x.state));
		return cli_fail(c, ERR_STATE);
	}
	if (!c->io->in_terminal && !words_flag(&c->w, "yes"))
		return cli_usage(c, "nobody is at a terminal to look at the plan: say --yes if that is meant");
	plan_text(c, &text, x.plan, &digest);
	cli_say(c, "%s", buf_str(&text));
	if (!agreed(c, &x)) {
		err_set(&c->err, ERR_CANCELLED, "nothing was signed");
		return cli_fail(c, ERR_CANCELLED);
	}
	rc = sign(c, &digest, &signature);
	return rc == ERR_OK ? post_approval(c, &x, buf_str(&signature)) : cli_fail(c, rc);
}

int run_change_start(struct cli *c)
{
	struct rollback_answer answer;
	struct request_args a = {.change = cli_word(c, "change")};
	CLEANUP(buf_done) struct buf json = BUF_INIT;
	enum err_code rc = request_json(c, &a, &json);
	if (rc == ERR_OK)
		rc = api_post(c, "change/start", buf_str(&json), false, &rollback_answer_type, &answer);
	return rc == ERR_OK ? follow(c, &answer) : cli_fail(c, rc);
}

/* ---- keys and policies ---- */

enum err_code public_key_add(struct cli *c, const char *text, struct list *keys)
{
	struct ssh_key key;
	CLEANUP(buf_done) struct buf file = BUF_INIT;
	const char **all = arena_array(c->arena, keys->count + 1, sizeof *all);
	char *line = arena_strdup(c->arena, text);
	enum err_code rc = ERR_OK;
	if (!text_starts(text, "ssh-") && !text_starts(text, "ecdsa-")) {
		if ((rc = file_read(text, CLI_FILE_MAX, &file, &c->err)) != ERR_OK)
			return rc;
		line = arena_strndup(c->arena, buf_str(&file), strcspn(buf_str(&file), "\r\n"));
	}
	if (!all || !line)
		return err_set(&c->err, ERR_NOMEM, "out of memory");
	if ((rc = ssh_key_parse(line, &key, &c->err)) != ERR_OK)
		return err_prefix(&c->err, rc, "%.100s", text);
	if (keys->count)
		memcpy(all, keys->items, keys->count * sizeof *all);
	all[keys->count] = line;
	*keys = (struct list){all, keys->count + 1};
	return ERR_OK;
}

static enum err_code add_signature(struct cli *c, const char *path, const struct buf *document, struct list *signatures)
{
	struct sshsig sig;
	CLEANUP(buf_done) struct buf text = BUF_INIT;
	const char **all = arena_array(c->arena, signatures->count + 1, sizeof *all);
	enum err_code rc = file_read(path, SSH_ARMOR_MAX, &text, &c->err);
	if (rc == ERR_NOT_FOUND)
		return err_set(&c->err, rc, "%s is not there: ssh-keygen -Y sign -f KEY -n %s FILE makes it", path,
		    APPROVAL_NAMESPACE_POLICY);
	if (rc == ERR_OK && (rc = sshsig_parse(buf_str(&text), text.size, &sig, &c->err)) != ERR_OK)
		return err_prefix(&c->err, rc, "%s", path);
	if (rc == ERR_OK && !sshsig_verifies(&sig, APPROVAL_NAMESPACE_POLICY, document->data, document->size))
		rc = err_set(&c->err, ERR_DENIED,
		    "%s is not a signature over this file (in the namespace %s): was it edited after signing?", path,
		    APPROVAL_NAMESPACE_POLICY);
	if (rc != ERR_OK)
		return rc;
	char *kept = arena_strdup(c->arena, buf_str(&text));
	if (!all || !kept)
		return err_set(&c->err, ERR_NOMEM, "out of memory");
	if (signatures->count)
		memcpy(all, signatures->items, signatures->count * sizeof *all);
	all[signatures->count] = kept;
	*signatures = (struct list){all, signatures->count + 1};
	return ERR_OK;
}

int run_policy_install(struct cli *c)
{
	const char *path = c->w.words[0], *signature;
	struct policy policy;
	struct standing_policy installed;
	struct request_args a = {0};
	CLEANUP(buf_done) struct buf document = BUF_INIT, json = BUF_INIT;
	enum err_code rc = file_read(path, POLICY_BYTES_MAX, &document, &c->err);
	if (rc == ERR_OK) /* an error with its line, before anything is sent */
		rc =
		    record_from_yaml(&policy_type, path, buf_str(&document), document.size, c->arena, &policy, &c->err);
	for (size_t i = 0; rc == ERR_OK && (signature = words_option_at(&c->w, "signature", i)) != NULL; i++)
		rc = add_signature(c, signature, &document, &a.signatures);
	if (rc == ERR_OK && !a.signatures.count)
		rc = add_signature(c, arena_printf(c->arena, "%s.sig", path), &document, &a.signatures);
	a.document = buf_bytes(&document);
	if (rc == ERR_OK)
		rc = request_json(c, &a, &json);
	if (rc == ERR_OK)
		rc = api_post(c, "policy/install", buf_str(&json), false, &standing_policy_type, &installed);
	return rc == ERR_OK ? out_record(c, &standing_policy_type, &installed) : cli_fail(c, rc);
}
