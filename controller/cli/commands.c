/* controller/cli/commands.c: every command there is.  Grouped by noun: what is read comes first. */
#include "controller/cli/command.h"

#include "shared/base/text.h"

#define LIST " limit all oldest where*"

/* clang-format off: a row a command */
const struct command commands[] = {
    {"status", NULL, .reads = "status", .run = run_status, .doc = "the fleet on one screen",
	.examples = {"kedge status", "kedge status -o json"}},

    {"watch", NULL, .options = "from", .reads = "event/watch", .run = run_watch, .doc = "what happens, as it happens",
	.more = "Reconnects by itself and misses nothing that the controller still remembers. With -o json: one JSON "
		"object a line.",
	.examples = {"kedge watch", "kedge watch -o json"}},

    {"halt", NULL, .args = "text!...", .posts = "controller/halt", .run = run_post,
	.doc = "stop: nothing new begins anywhere",
	.more = "What has begun on a host finishes there. Short for `kedge controller halt`.",
	.examples = {"kedge halt wrong snapshot chosen"}},

    {"resume", NULL, .args = "text!...", .posts = "controller/resume", .run = run_post, .doc = "release the halt",
	.more = "Halted rollbacks go on. Short for `kedge controller resume`.",
	.examples = {"kedge resume the right one is chosen now"}},

    {"get", NULL, .args = "noun! key", .options = LIST, .reads = "*", .newest = true, .run = run_get,
	.doc = "any table of the controller by its name, as the API has it",
	.examples = {"kedge get drift --where service=portal", "kedge get health -o json",
	    "kedge get restoration --limit 5"}},

    {"host", "list", .options = "state" LIST, .reads = "host", .run = run_list, .doc = "machines with an agent",
	.examples = {"kedge host list", "kedge host list --state silent"}},
    {"host", "show", .args = "host!", .reads = "host", .run = run_host_show,
	.doc = "one host, what runs on it, and how that is", .examples = {"kedge host show web-1"}},
    {"host", "enrol", .args = "name!", .options = "lifetime", .alias = "token", .posts = "ca/token", .run = run_token,
	.doc = "a one-time token with which a new host joins",
	.more = "Prints the token alone on standard output: `kedge-agent join` takes it on the host.",
	.examples = {"kedge host enrol web-4", "kedge host enrol web-4 --lifetime 15m"}},
    {"host", "unbar", .args = "host!", .options = "keep", .posts = "host/unbar", .run = run_post,
	.doc = "decide which of two agents with one identity counts", .examples = {"kedge host unbar web-1"}},
    {"host", "revoke", .args = "host! text!...", .posts = "host/revoke", .run = run_post,
	.doc = "revoke a host's certificates", .more = "Its connection ends at once.",
	.examples = {"kedge host revoke web-1 stolen from the rack"}},

    {"service", "list", .options = LIST, .reads = "service", .run = run_list, .doc = "services and what they lean on",
	.examples = {"kedge service list"}},
    {"service", "show", .args = "service!", .reads = "service", .run = run_service_show,
	.doc = "one service: its health on every host, and what differs from its restore points",
	.examples = {"kedge service show portal"}},
    {"service", "probe", .args = "service! host!", .posts = "service/probe", .run = run_post,
	.doc = "run all probes of a service on a host now", .examples = {"kedge service probe portal web-1"}},
    {"service", "maintenance", .args = "service!", .options = "host for until end reason",
	.posts = "service/maintenance", .run = run_maintenance, .doc = "begin, move or end a maintenance window",
	.more = "Nobody is paged for what happens within it. A window always ends.",
	.examples = {"kedge service maintenance portal --for 2h --reason upgrade",
	    "kedge service maintenance portal --host web-1 --end"}},

    {"snapshot", "list", .options = "service host" LIST, .reads = "snapshot", .newest = true, .run = run_list,
	.doc = "restore points",
	.examples = {"kedge snapshot list --service portal", "kedge snapshot list --host web-1 -o wide"}},
    {"snapshot", "show", .args = "snapshot!", .reads = "snapshot", .run = run_show, .doc = "one restore point",
	.examples = {"kedge snapshot show snap-01jdq3"}},
    {"snapshot", "create", .args = "service! host!", .posts = "snapshot/create", .run = run_post,
	.doc = "take a restore point now", .examples = {"kedge snapshot create portal web-1"}},
    {"snapshot", "verify", .args = "snapshot!", .posts = "snapshot/verify", .run = run_snapshot_verify,
	.doc = "have its host read a restore point back and authenticate it",
	.examples = {"kedge snapshot verify snap-01jdq3"}},
    {"snapshot", "condemn", .args = "snapshot! text!...", .posts = "snapshot/condemn", .run = run_post,
	.doc = "never again a target of automation",
	.examples = {"kedge snapshot condemn snap-01jdq3 it holds the broken schema"}},

    {"rollback", "list", .options = "service incident state" LIST, .reads = "rollback", .newest = true, .run = run_list,
	.doc = "rollbacks", .examples = {"kedge rollback list", "kedge rollback list --state running"}},
    {"rollback", "show", .args = "rollback!", .reads = "rollback", .run = run_rollback_show,
	.doc = "one rollback, host by host", .examples = {"kedge rollback show RB-2"}},
    {"rollback", "plan", .args = "service",
	.options = "host* component* to incident rollback reason any-state deep progressive cross-schema first normal",
	.posts = "rollback/plan", .run = run_rollback_plan,
	.doc = "what a rollback would do, and whose word it would need", .more = "Changes nothing.",
	.examples = {"kedge rollback plan portal --host web-1 --component config",
	    "kedge rollback plan --rollback RB-2"}},
    {"rollback", "start", .args = "service!",
	.options =
	    "host!* hosts component* to incident reason any-state deep progressive cross-schema first normal no-wait timeout",
	.posts = "rollback/start", .run = run_rollback_start,
	.doc = "bring a service back to a restore point, and follow it",
	.more =
	    "Begins at once where a standing policy covers it, else when it is approved. Interrupting the wait "
	    "changes nothing: the rollback goes on. Where it touches more than one host it asks how many; a script says so "
	    "with --hosts.",
	.examples = {"kedge rollback start portal --host web-1 --component config --to last-good --incident INC-3",
	    "kedge rollback start portal --host web-1 --host web-2 --hosts 2 --reason 'bad deploy'"}},
    {"rollback", "undo", .args = "rollback! text!...", .options = "hosts incident normal no-wait timeout",
	.posts = "rollback/undo", .run = run_rollback_start, .doc = "put back what a rollback replaced, and follow it",
	.examples = {"kedge rollback undo RB-2 the fault was elsewhere"}},
    {"rollback", "cancel", .args = "rollback! text!...", .posts = "rollback/cancel", .run = run_post,
	.doc = "no further host; those that have begun finish",
	.examples = {"kedge rollback cancel RB-2 wrong service"}},

    {"recovery", "board", .reads = "recovery/board", .run = run_recovery_board,
	.doc = "what could be brought back now, host by host, and how surely",
	.more =
	    "Last restore point, last verified, last practised restore, what would be lost now (RPO), how long it took (RTO).",
	.examples = {"kedge recovery board", "kedge recovery board -o json"}},

    {"action", "start", .args = "service! name!", .options = "host!* hosts incident reason normal no-wait timeout",
	.posts = "action/start", .run = run_rollback_start,
	.doc = "ask for an action that the hosts' agent.yaml declares, and follow it",
	.more =
	    "It begins when a standing policy covers it or people approved it. `kedge service show` lists what is declared.",
	.examples = {"kedge action start portal restart --host web-1 --incident INC-3"}},
    {"order", "list", .options = "host rollback" LIST, .reads = "order", .newest = true, .run = run_list,
	.doc = "orders to hosts", .examples = {"kedge order list --host web-1"}},
    {"order", "show", .args = "order!", .reads = "order", .run = run_show, .doc = "one order, and what the host did",
	.examples = {"kedge order show ord-01jdq3"}},

    {"incident", "list", .options = "service state" LIST, .reads = "incident", .newest = true, .run = run_list,
	.doc = "incidents", .examples = {"kedge incident list", "kedge incident list --state detected"}},
    {"incident", "show", .args = "incident!", .reads = "incident", .run = run_incident_show,
	.doc = "one incident whole: what happened when, why, and what was done",
	.examples = {"kedge incident show INC-3", "kedge incident show INC-3 -o json"}},
    {"incident", "open", .args = "service! title!...", .options = "severity", .posts = "incident/open", .run = run_post,
	.doc = "open an incident by hand",
	.examples = {"kedge incident open portal logins fail for everybody --severity high"}},
    {"incident", "acknowledge", .args = "incident!", .alias = "ack", .posts = "incident/acknowledge", .run = run_post,
	.doc = "you have it: paging stops", .examples = {"kedge incident ack INC-3"}},
    {"incident", "assign", .args = "incident! owner!", .posts = "incident/assign", .run = run_post,
	.doc = "give it to somebody", .examples = {"kedge incident assign INC-3 ada"}},
    {"incident", "investigate", .args = "incident! text...", .posts = "incident/investigate", .run = run_post,
	.doc = "back to looking for the cause",
	.examples = {"kedge incident investigate INC-3 it was not the configuration"}},
    {"incident", "identify", .args = "incident! text!...", .posts = "incident/identify", .run = run_post,
	.doc = "name the cause by hand",
	.examples = {"kedge incident identify INC-3 the certificate of the database expired"}},
    {"incident", "resolve", .args = "incident! text!...", .posts = "incident/resolve", .run = run_post,
	.doc = "say that it is over", .examples = {"kedge incident resolve INC-3 the provider fixed it"}},
    {"incident", "reopen", .args = "incident! text!...", .posts = "incident/reopen", .run = run_post,
	.doc = "it is not over", .examples = {"kedge incident reopen INC-3 logins still fail"}},
    {"incident", "close", .args = "incident! text!...", .posts = "incident/close", .run = run_post,
	.doc = "close it with its review",
	.examples = {"kedge incident close INC-3 deploys now check the configuration first"}},
    {"incident", "note", .args = "incident! text!...", .posts = "incident/note", .run = run_post,
	.doc = "add to its timeline", .examples = {"kedge incident note INC-3 called the provider"}},

    {"diagnosis", "list", .options = "incident" LIST, .reads = "diagnosis", .newest = true, .run = run_list,
	.doc = "diagnoses", .examples = {"kedge diagnosis list --incident INC-3"}},
    {"diagnosis", "show", .args = "diagnosis!", .reads = "diagnosis", .run = run_diagnosis_show,
	.doc = "one diagnosis; `kedge incident show` has it in its place",
	.examples = {"kedge diagnosis show diag-01jdq3 -o yaml"}},
    {"diagnosis", "start", .args = "incident!", .posts = "diagnosis/start", .run = run_post,
	.doc = "diagnose an incident again", .examples = {"kedge diagnosis start INC-3"}},
    {"diagnosis", "confirm", .args = "incident!", .posts = "diagnosis/confirm", .run = run_post,
	.doc = "say that a diagnosis was right: it becomes history that later ones are compared with",
	.examples = {"kedge diagnosis confirm INC-3"}},
    {"diagnosis", "correct", .args = "incident! text!...", .options = "service component action",
	.posts = "diagnosis/correct", .run = run_post,
	.doc = "say what it was instead: the next one that looks like it is diagnosed so",
	.more = "Where a service is named, and its component or the action that helps, that is what will be proposed.",
	.examples = {"kedge diagnosis correct INC-3 the disk of the database was full",
	    "kedge diagnosis correct INC-3 --service records-db --action free-space the disk of the database was full"}},
    {"diagnosis", "model", .args = "what! file", .options = "model out", .run = run_diagnosis_model,
	.doc = "show, train or evaluate the model behind the classes of errors",
	.more =
	    "Works on files alone. Examples are a file with one object a line: system, class, text. Training holds back "
	    "one system after the other; the figures that it tells are of those rounds. The same examples give the same "
	    "model.",
	.examples = {"kedge diagnosis model show root-cause",
	    "kedge diagnosis model train examples.jsonl --out own.model",
	    "kedge diagnosis model evaluate examples.jsonl --model own.model"}},

    {"runbook", "list", .run = run_runbook_list,
	.doc = "the pages that tell the whole way, from the first look to the review",
	.examples = {"kedge runbook list"}},
    {"runbook", "show", .args = "name!", .run = run_runbook_show, .doc = "one of them; needs no controller",
	.examples = {"kedge runbook show certificate"}},

    {"pattern", "list", .options = "service" LIST, .reads = "pattern", .run = run_list,
	.doc = "kinds of log lines, and since when", .examples = {"kedge pattern list --service portal"}},

    {"knowledge", "list", .options = LIST, .reads = "knowledge", .run = run_list,
	.doc = "what people have written down about faults",
	.examples = {"kedge knowledge list --where area=tls --all"}},
    {"knowledge", "show", .args = "name!", .reads = "knowledge", .run = run_show,
	.doc = "one entry: how it is known, what causes it, what helps, and where that is from",
	.examples = {"kedge knowledge show tls-certificate-expired"}},
    {"knowledge", "history", .options = "service" LIST, .reads = "past", .newest = true, .run = run_list,
	.doc = "past incidents with the cause that a person gave them",
	.examples = {"kedge knowledge history --service portal"}},

    {"change", "list", .options = "state incident" LIST, .reads = "change", .newest = true, .run = run_list,
	.doc = "changes", .examples = {"kedge change list --state requested"}},
    {"change", "show", .args = "change!", .reads = "change", .run = run_change_show,
	.doc = "one change: its plan, and who said what", .examples = {"kedge change show CHG-7"}},
    {"change", "approve", .args = "change!", .options = "key yes no-wait timeout", .posts = "change/approve",
	.run = run_change_approve, .doc = "say yes to a change, signed",
	.more = "Shows the plan, computes its digest here, and signs that with ssh-keygen. Every host checks the "
		"signature itself.",
	.examples = {"kedge change approve CHG-7",
	    "kedge change approve CHG-7 --key ~/.ssh/id_ed25519 --yes --no-wait"}},
    {"change", "reject", .args = "change! text!...", .posts = "change/reject", .run = run_post,
	.doc = "say no to a change", .examples = {"kedge change reject CHG-7 after the peak, please"}},
    {"change", "cancel", .args = "change! text!...", .posts = "change/cancel", .run = run_post,
	.doc = "withdraw a change", .examples = {"kedge change cancel CHG-7 no longer needed"}},
    {"change", "start", .args = "change!", .options = "no-wait timeout", .posts = "change/start",
	.run = run_change_start, .doc = "begin an approved change, and follow it",
	.examples = {"kedge change start CHG-7"}},
    {"change", "review", .args = "change! text!...", .posts = "change/review", .run = run_post,
	.doc = "review a change that has ended",
	.examples = {"kedge change review CHG-7 the policy did what it should"}},
    {"change", "policies", .options = LIST, .reads = "policy", .run = run_list,
	.doc = "standing policies: changes that need no person at night", .examples = {"kedge change policies"}},

    {"policy", "list", .options = LIST, .reads = "policy", .run = run_list, .doc = "standing policies",
	.examples = {"kedge policy list"}},
    {"policy", "show", .args = "name!", .reads = "policy", .run = run_show, .doc = "one standing policy",
	.examples = {"kedge policy show night -o yaml"}},
    {"policy", "install", .args = "file!", .options = "signature*", .posts = "policy/install",
	.run = run_policy_install, .doc = "install a signed standing policy",
	.more = "FILE is its YAML; FILE.sig beside it the signature: ssh-keygen -Y sign -f KEY -n kedge-policy FILE",
	.examples = {"kedge policy install night.yaml"}},
    {"policy", "remove", .args = "name!", .posts = "policy/remove", .run = run_post, .doc = "remove a standing policy",
	.examples = {"kedge policy remove night"}},

    {"audit", "list", .options = "incident" LIST, .reads = "audit", .newest = true, .run = run_list,
	.doc = "everything that was done or refused",
	.examples = {"kedge audit list", "kedge audit list --incident INC-3 --all"}},
    {"audit", "show", .args = "sequence!", .reads = "audit", .run = run_show, .doc = "one entry of the trail",
	.examples = {"kedge audit show 42"}},
    {"audit", "verify", .args = "checkpoint", .reads = "audit/verify", .run = run_audit_verify,
	.doc = "recompute the whole trail and compare",
	.more =
	    "With a checkpoint that was kept elsewhere, SIZE:ROOT as `kedge audit checkpoint` prints it, a trail that was "
	    "written anew shows too.",
	.examples = {"kedge audit verify"}},
    {"audit", "checkpoint", .posts = "audit/checkpoint", .run = run_audit_checkpoint,
	.doc = "fix the head of the trail, to be kept somewhere else",
	.more = "The controller fixes one each hour by itself and says it in its log.",
	.examples = {"kedge audit checkpoint"}},

    {"notify", "list", .options = "incident state" LIST, .reads = "notify", .newest = true, .run = run_list,
	.doc = "who was told what", .examples = {"kedge notify list", "kedge notify list --state failed"}},
    {"notify", "test", .posts = "notify/test", .run = run_post, .doc = "say something on the first channel",
	.examples = {"kedge notify test"}},

    {"operator", "list", .options = LIST, .reads = "operator", .run = run_list, .doc = "people and what they may do",
	.examples = {"kedge operator list"}},
    {"operator", "show", .args = "name!", .reads = "operator", .run = run_show, .doc = "one operator",
	.examples = {"kedge operator show ada"}},
    {"operator", "put", .args = "name!", .options = "role* public-key* disable enable", .posts = "operator/put",
	.run = run_operator_put, .doc = "add an operator, or change what is given",
	.more = "Roles: viewer, responder, approver, admin. Given roles (or keys) replace those that stood there.",
	.examples = {"kedge operator put ada --role responder --role approver --public-key ada.pub",
	    "kedge operator put ada --disable"}},

    {"controller", "show", .reads = "controller", .run = run_controller_show, .doc = "what holds all automation back",
	.examples = {"kedge controller show"}},
    {"controller", "halt", .args = "text!...", .posts = "controller/halt", .run = run_post,
	.doc = "stop: nothing new begins anywhere", .examples = {"kedge controller halt wrong snapshot chosen"}},
    {"controller", "resume", .args = "text!...", .posts = "controller/resume", .run = run_post,
	.doc = "release the halt", .examples = {"kedge controller resume all clear"}},
    {"controller", "confirm", .args = "text!...", .posts = "controller/confirm", .run = run_post,
	.doc = "let a restored controller command again",
	.more = "Only when no other controller with this name is alive: this one's orders will outrank the other's.",
	.examples = {"kedge controller confirm the old machine is gone"}},

    {"ca", "list", .options = LIST, .reads = "ca", .run = run_list,
	.doc = "certificates that the controller has issued",
	.examples = {"kedge ca list", "kedge ca list --where name=web-1"}},
    {"ca", "token", .args = "name!", .options = "role lifetime", .posts = "ca/token", .run = run_token,
	.doc = "a one-time token for a host's or operator's first certificate",
	.examples = {"kedge ca token ada --role operator"}},
    {"ca", "join", .args = "name!", .options = "token! authority! out! controller domain controller-name",
	.posts = "ca/enrol", .run = run_ca_join, .doc = "get an operator's certificate with a token",
	.more = "The key is made here and stays here. The authority's file is held against the token before anything "
		"is sent.",
	.examples = {"kedge ca join ada --token kedge1.… --authority authority.pem --out ~/.config/kedge/me "
		     "--controller https://control.example:8443 --domain fleet.example"}},
    {"ca", "revoke", .args = "serial! text!...", .posts = "ca/revoke", .run = run_ca_revoke,
	.doc = "revoke one certificate, by its serial or by its file",
	.more = "Its connections end at once. One that was made offline with `kedge ca issue` can be revoked too.",
	.examples = {"kedge ca revoke 4f21 a lost laptop", "kedge ca revoke ada/cert.pem a lost laptop"}},
    {"ca", "init", .options = "dir! domain!", .run = run_ca_init, .doc = "make an authority",
	.more = "Works on files alone. Keep root.key off the network: nothing in daily work needs it.",
	.examples = {"kedge ca init --dir ca --domain fleet.example"}},
    {"ca", "issue", .args = "kind! name!", .options = "dir! out! address* days", .run = run_ca_issue,
	.doc = "make a key and a certificate for a controller, operator or host", .more = "Works on files alone.",
	.examples = {"kedge ca issue controller main --dir ca --address 10.0.0.5 --out controller",
	    "kedge ca issue operator ada --dir ca --out ada --days 14"}},
    {"ca", "show", .args = "file!", .run = run_ca_show, .doc = "what the certificates in a file say",
	.more = "Works on files alone.", .examples = {"kedge ca show controller/cert.pem"}},
    {"ca", "verify", .args = "file!", .options = "authority dir", .run = run_ca_verify,
	.doc = "is a certificate good, and until when?", .more = "Works on files alone.",
	.examples = {"kedge ca verify ada/cert.pem --dir ca", "kedge ca verify cert.pem --authority authority.pem"}},

    {"analyze", "logs", .args = "file!", .options = "format lines", .run = run_analyze_logs,
	.doc = "the lines of a log as the kinds that they are of",
	.more = "Works on files alone; FILE may be gzip, - is standard input.",
	.examples = {"kedge analyze logs /var/log/syslog", "kedge analyze logs - -o jsonl",
	    "kedge analyze logs app.log.gz --lines"}},

    {"analyze", "classify", .args = "file!", .options = "model", .run = run_analyze_classify,
	.doc = "what kind of error each message of a file tells of, and how surely",
	.more =
	    "Works on files alone; FILE may be gzip, - is standard input. Each line is an object with id and text; for "
	    "each one comes its id, one of twelve classes, and the confidence in that.",
	.examples = {"kedge analyze classify messages.jsonl",
	    "kedge analyze classify messages.jsonl --model own.model"}},

    {"analyze", "series", .args = "file!", .options = "value", .run = run_analyze_series,
	.doc = "how far out of the ordinary each row of a series is",
	.more =
	    "Works on files alone; FILE is CSV with a row of names, may be gzip, - is standard input. A score of 0 to 1 a "
	    "row, from that row and those before it; 0.5 and more is an alarm, told where it begins.",
	.examples = {"kedge analyze series cpu.csv.gz", "kedge analyze series metrics.csv --value errors"}},
    {"analyze", "sequences", .args = "file!", .options = "train!", .run = run_analyze_sequences,
	.doc = "which sessions of events are not like the normal ones",
	.more =
	    "Works on files alone. A line is a session: name TAB events, or name TAB label TAB events; events are words "
	    "divided by spaces. Prints name TAB score; 0.5 and more is not like those of --train.",
	.examples = {"kedge analyze sequences --train normal.tsv.gz today.tsv"}},

    {"analyze", "cause", .options = "cases!", .run = run_analyze_cause,
	.doc = "which service is the root cause, from files of metrics, traces, logs and calls",
	.more =
	    "Works on files alone. The file has one case a line, an object that names tables beside it (docs/"
	    "OPERATIONS.md tells which): metrics, spans, log lines, a graph of calls, each plain or gzip, and when the "
	    "fault was. For each comes a line with the services ranked, the confidence in the first, and what speaks "
	    "for it. What is missing is told and done without.",
	.examples = {"kedge analyze cause --cases incidents/cases.jsonl"}},

    {"analyze", "match", .options = "history labels documents queries!", .run = run_analyze_match,
	.doc = "which past incident, or which document, is about this",
	.more =
	    "Works on files alone, which may be gzip. A history is a matrix of counts (tab-separated, first line names), "
	    "sessions (id, cause, events) or JSON lines; the causes of a matrix stand in a file beside it. Answers rank the "
	    "causes of the nearest incidents; one that is its own question is never its own answer, and rows without an id "
	    "are called by their number, from 1. Documents are a folder of Markdown, text or YAML; their questions are objects "
	    "with id and query, a line each, and answers rank their names.",
	.examples = {"kedge analyze match --history past.tsv.gz --queries new.tsv",
	    "kedge analyze match --documents runbooks --queries alerts.jsonl"}},

    {"redact", NULL, .args = "file", .options = "mode jsonl", .run = run_redact,
	.doc = "take identifiers and secrets out of text",
	.more =
	    "Works on files alone; FILE may be gzip, none or - is standard input. The text is prose about people "
	    "(clinical) unless --mode log says that it is lines of programs. With --jsonl, each line is an object with "
	    "id and text; for each one comes its id and what would go, as spans of code points.",
	.examples = {"kedge redact letter.txt", "kedge redact --mode log app.log > clean.log",
	    "kedge redact --jsonl notes.jsonl"}},

    {"completion", NULL, .args = "shell!", .run = run_completion, .doc = "a completion script for bash, zsh or fish",
	.examples = {"kedge completion bash > /etc/bash_completion.d/kedge",
	    "kedge completion fish > ~/.config/fish/completions/kedge.fish"}},

    {"help", NULL, .args = "noun verb", .run = run_help, .doc = "what a command does, with examples",
	.examples = {"kedge help rollback start"}},
};
/* clang-format on */
const size_t command_count = sizeof commands / sizeof commands[0];

const struct command *command_find(const char *noun, const char *verb)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *k = &commands[i];
		if (!text_equal(k->noun, noun))
			continue;
		if (!k->verb)
			return verb ? NULL : k;
		if (text_equal(k->verb, verb ? verb : "list") || (verb && k->alias && text_equal(k->alias, verb)))
			return k;
	}
	return NULL;
}

bool command_is_noun(const char *noun)
{
	for (size_t i = 0; i < command_count; i++)
		if (text_equal(commands[i].noun, noun))
			return true;
	return false;
}
