/* What the miner knows of English as programs write it: opposites, words that announce a value, ordinary words. */
#include <assert.h>
#include <string.h>

#include "shared/mining/token.h"

enum { SLOTS = 8192, WORD_MAX = 24 };

static struct slot {
	uint64_t hash;
	unsigned classes;
} slots[SLOTS];

/* Each of these says the opposite of another one somewhere in the list; regular forms (-s, -ed, -ing) are made from
 * them. */
static const char polar_verbs[] = "start restart stop begin end open reopen close connect reconnect disconnect enable "
				  "disable accept reject refuse deny allow permit "
				  "grant revoke forbid block unblock add remove insert delete create destroy acquire "
				  "release obtain lock unlock mount unmount remount "
				  "load unload install uninstall register unregister deregister subscribe unsubscribe "
				  "join leave enter exit attach detach increase "
				  "decrease succeed fail pass complete abort cancel resume suspend pause activate "
				  "deactivate mask unmask raise clear "
				  "launch terminate kill spawn expire renew commit rollback promote demote upgrade "
				  "downgrade login logout link import export "
				  "encrypt decrypt push pop read write send receive upload download push pull freeze "
				  "thaw arm disarm bind unbind map unmap pin unpin "
				  "authenticate authorize establish drop recover lose gain find miss hit include "
				  "exclude show hide verify queue dequeue enqueue "
				  "assign unassign allocate deallocate free decommission commission schedule "
				  "unschedule deschedule isolate evict admit";
static const char polar_words[] =
    "stopped stopping begun began permitted permitting submitted left lost won forbidden dropped dropping hid hidden "
    "shown bound unbound "
    "sent received frozen froze thawed up down on off true false yes no not never always success successful "
    "successfully failure failed "
    "unsuccessful unsuccessfully ok error active inactive valid invalid available unavailable reachable unreachable "
    "healthy unhealthy "
    "online offline alive dead present absent enabled disabled known unknown supported unsupported ready unready "
    "incoming outgoing "
    "inbound outbound high low higher lower above below over under good bad correct incorrect complete incomplete "
    "normal abnormal stable "
    "unstable trusted untrusted locked unlocked mounted unmounted better worse visible invisible temporary permanent "
    "with without can "
    "cannot passed failing running halted shutdown startup succeeded leader follower inserted";

/* The same in other languages that administrators let their programs speak. */
static const char polar_foreign[] =
    "gestartet gestoppt beendet hergestellt verloren getrennt verbunden angemeldet abgemeldet aktiviert deaktiviert "
    "erfolgreich fehlgeschlagen gültig ungültig verfügbar nicht erlaubt verweigert abgelehnt hinzugefügt entfernt "
    "erstellt gelöscht geöffnet geschlossen gesperrt entsperrt mit ohne "
    "démarré arrêté démarrage arrêt connecté déconnecté établie perdue réussi réussie échoué échouée échec activé "
    "désactivé ajouté supprimé créé ouvert fermé valide invalide accepté refusé avec sans pas "
    "iniciado detenido conectado desconectado creado eliminado abierto cerrado habilitado deshabilitado con sin";

/* What follows is usually a value. */
static const char cues[] =
    "user users from to for by id host hostname name named file port at on of in device node server client address "
    "addr session process pid container pod service job task block interface module class key path url uri "
    "username account group owner domain queue topic table database schema version type state status code reason "
    "rhost ruser uid gid tty command cmd method into via using as called with against instance volume disk "
    "partition container image region zone cluster tenant role thread worker executor stage attempt application app "
    "component transition transitioned than is was set signal";

static const char cues_foreign[] = "von nach für bei auf aus über dienst datei knoten prozess auftrag tabelle adresse "
				   "de du des à sur pour depuis vers service fichier hôte nœud processus tâche adresse "
				   "para desde en servicio archivo";

/* Behind these any word is somebody's name. */
static const char namers[] = "user username logname login host hostname rhost ruser named account benutzer "
			     "benutzername rechner utilisateur usuario";

/* Behind these several words in quotes are a title. */
static const char titled[] =
    "job task file folder directory document report title subject named called profile project "
    "group playlist album song event meeting message channel room topic dashboard workflow "
    "pipeline stage query rule policy template";

static const char ordinary[] = "a an the this that these those it its he she they we you i and or but if then else "
			       "when while until unless because so as than like "
			       "of in on at by for from to into onto with within without about between among through "
			       "during before after above below over under "
			       "again further once here there all any both each few more most other some such only own "
			       "same too very just also already still yet "
			       "now ever never always be is are was were been being have has had having do does did "
			       "done doing will would shall should may might "
			       "must can could not no yes nor per via due out up down off back away next previous last "
			       "first second third one two three zero "
			       "time times timeout date day days hour hours minute minutes second seconds ms sec msec "
			       "usec bytes byte kb mb gb size length count "
			       "number total average rate limit limits level value values key keys name names id ids "
			       "type types kind state states status mode code "
			       "codes reason reasons cause caused message messages msg text string line lines file "
			       "files folder directory dir path paths link "
			       "links disk disks device devices volume volumes block blocks sector partition "
			       "filesystem fs system systems kernel driver drivers "
			       "module modules memory mem cache caches buffer buffers page pages swap cpu processor "
			       "processors core cores thread threads process "
			       "processes task tasks job jobs worker workers queue queues pool pools lock locks mutex "
			       "semaphore signal signals interrupt interrupts "
			       "exception exceptions error errors warning warnings fatal critical failure failures "
			       "fault faults panic crash crashed trace stack "
			       "debug info notice alert emergency log logs logging logger event events alarm alarms "
			       "network net interface interfaces port ports "
			       "address addresses ip host hosts hostname node nodes server servers client clients peer "
			       "peers cluster clusters member members "
			       "connection connections connect socket sockets session sessions request requests "
			       "response responses reply replies packet packets "
			       "frame frames message channel channels stream streams transfer transport protocol "
			       "version versions http https tcp udp ssl tls dns "
			       "user users username password passwords login account accounts group groups permission "
			       "permissions access authentication "
			       "authorization auth credential credentials certificate certificates token tokens "
			       "security secure root admin system service services "
			       "daemon application applications app apps program programs command commands script "
			       "scripts option options argument arguments "
			       "parameter parameters param params config configuration configured setting settings "
			       "default defaults property properties "
			       "database databases db table tables row rows column columns index indexes query queries "
			       "statement transaction transactions record "
			       "records data dataset field fields schema key object objects class classes method "
			       "methods function functions call calls called "
			       "handler handlers manager managers controller controllers resource resources container "
			       "containers instance instances image images "
			       "component components unit units element elements entry entries item items list lists "
			       "set sets map maps array input output result "
			       "results report reports check checks checking checked test tests testing update updates "
			       "updated updating change changes changed "
			       "changing modify modified request requested requesting process processed processing "
			       "handle handled handling run runs running ran "
			       "execute executed executing execution work working wait waits waiting waited try tries "
			       "trying tried retry retries retrying retried "
			       "attempt attempts attempted attempting use uses using used set setting get gets getting "
			       "got put puts putting make makes making made "
			       "take takes taking took taken give gives given go goes going gone come comes keep keeps "
			       "keeping kept return returns returned "
			       "returning receive received receiving initialize initialized initializing "
			       "initialization init setup ready done finish finished "
			       "finishing complete completed completing completion shutdown shutting startup starting "
			       "boot booting reset resetting reload reloaded "
			       "reloading refresh refreshed recover recovered recovering recovery detect detected "
			       "detecting detection found find finding search "
			       "searching searched lookup resolve resolved resolving parse parsed parsing parser "
			       "convert converted converting format formatted "
			       "invalid unknown unexpected unable cannot could couldn't can't won't doesn't didn't "
			       "expected required missing exceeded exceeds "
			       "exceeding too many much long short large small big max min maximum minimum high low "
			       "full empty new old current previous available "
			       "free used left remaining pending active valid null none nil true false success "
			       "successfully successful failed failing fails "
			       "possible impossible ignore ignored ignoring skip skipped skipping discard discarded "
			       "dropping dropped drop loss lost timed expired "
			       "expire aborted abort aborting terminated terminating termination killed kill exit "
			       "exited exiting return broken corrupt corrupted "
			       "bad wrong incorrect illegal refused rejected denied forbidden unauthorized allowed "
			       "permitted granted accepted accept accepting "
			       "listen listening listener bind bound send sends sending sent read reads reading write "
			       "writes writing written flush flushed sync "
			       "synced syncing copy copied copying move moved moving rename renamed load loaded "
			       "loading save saved saving store stored storing "
			       "delete deleted deleting remove removed removing add added adding create created "
			       "creating creation destroy destroyed allocate "
			       "allocated allocation release released releasing acquire acquired acquiring assigned "
			       "assign assigning register registered "
			       "registering registration schedule scheduled scheduling scheduler submit submitted "
			       "submitting launch launched launching spawn "
			       "notify notified notification notifications election leader follower leading following "
			       "vote snapshot snapshots backup restore "
			       "restored replica replicas replication replicate primary secondary master slave local "
			       "remote source destination target targets "
			       "address parity ecc bit bits register registers cache instruction instructions data "
			       "storage interrupt machine hardware software "
			       "power temperature fan battery voltage sensor link environment environmental normal "
			       "abnormal ok okay state transition transitioned "
			       "mapped mapping unmapped attached detached mounted unmounted opened closed closing "
			       "opening begin began end ended ending please see "
			       "information details detail description summary note example usage help more less than "
			       "about approx approximately received "
			       "committed committing commit rollback rolled uncommitted prepared preparing prepare "
			       "cleaned cleanup cleaning clean garbage "
			       "collection collector heap monitor monitoring monitored metric metrics stats statistics "
			       "progress percent health healthy unhealthy "
			       "heartbeat heartbeats ping pong alive dead lease renew renewed keepalive keep interval "
			       "period delay delayed slow fast latency "
			       "duration elapsed took overdue deadline rule rules policy policies filter filters "
			       "plugin plugins extension extensions library "
			       "libraries package packages install installed installing installation upgrade upgraded "
			       "build builds release deploy deployed "
			       "deployment feature features support supported supports unsupported capability "
			       "capabilities enabled enabling enable disabled "
			       "disabling disable turned switch switched switching select selected selecting choose "
			       "chosen pick enter entered entering leave "
			       "leaving joined join joining wake waking sleep sleeping suspended suspend resume "
			       "resumed idle busy stuck hang hung blocked blocking "
			       "unblocked locked unlocked locking holding held owner owned ownership belongs belong "
			       "match matched matches matching mismatch equal "
			       "equals differ different same identical duplicate duplicated unique conflict conflicts "
			       "conflicting race condition assertion assert "
			       "verify verified verifying verification validate validated validating validation sign "
			       "signed signature encrypt encrypted decrypt "
			       "hash checksum digest compress compressed decompress encode encoded decode decoded "
			       "serialize serialized deserialize stopping stopped "
			       "stop started start restarting restarted restart killing pausing paused pause redirect "
			       "redirected proxy gateway route routes routing "
			       "router bridge tunnel firewall nat uplink downlink vlan bandwidth traffic throughput "
			       "quota quotas usage utilization overload "
			       "overloaded throttled throttling backoff limit reached reach reaching crossing crossed "
			       "threshold thresholds above below under over "
			       "signal caught raised raise raising throw thrown throwing uncaught unhandled handled "
			       "trap traps segfault core dumped dump dumping "
			       "reason because therefore however otherwise instead maybe perhaps probably likely";

static void add(const char *text, size_t size, unsigned classes)
{
	uint64_t h = token_hash(text, size);
	size_t at = h & (SLOTS - 1);
	while (slots[at].hash && slots[at].hash != h)
		at = (at + 1) & (SLOTS - 1);
	slots[at].hash = h;
	slots[at].classes |= classes;
}

static void add_ending(const char *text, size_t size, const char *ending, unsigned classes)
{
	char word[WORD_MAX + 8];
	size_t n = strlen(ending);
	memcpy(word, text, size);
	memcpy(word + size, ending, n);
	add(word, size + n, classes);
}

static void add_list(const char *list, unsigned classes, bool inflect)
{
	for (const char *p = list; *p;) {
		size_t n = strcspn(p, " ");
		assert(n < WORD_MAX);
		if (n)
			add(p, n, classes);
		if (n && inflect) {
			bool e = p[n - 1] == 'e',
			     sibilant = n > 2 && (p[n - 1] == 's' || p[n - 1] == 'h' || p[n - 1] == 'x');
			add_ending(p, n, sibilant ? "es" : "s", classes);
			add_ending(p, n, e ? "d" : "ed", classes);
			add_ending(p, e ? n - 1 : n, "ing", classes);
		}
		p += n + (p[n] == ' ');
	}
}

/* Before main, once: afterwards the table is only read. */
__attribute__((constructor)) static void fill(void)
{
	size_t used = 0;
	add_list(polar_verbs, CLASS_POLAR | CLASS_KNOWN, true);
	add_list(polar_words, CLASS_POLAR | CLASS_KNOWN, false);
	add_list(namers, CLASS_CUE | CLASS_NAMER | CLASS_KNOWN, false);
	add_list(cues, CLASS_CUE | CLASS_KNOWN, false);
	add_list(ordinary, CLASS_KNOWN, false);
	add_list(polar_foreign, CLASS_POLAR | CLASS_KNOWN, false);
	add_list(cues_foreign, CLASS_CUE | CLASS_KNOWN, false);
	add_list(titled, CLASS_TITLED | CLASS_KNOWN, false);
	for (size_t i = 0; i < SLOTS; i++)
		used += slots[i].hash != 0;
	assert(used < SLOTS / 2);
}

unsigned word_class(const char *text, size_t size, uint64_t *ret_hash)
{
	char low[WORD_MAX];
	bool same = true;
	if (size >= WORD_MAX)
		return CLASS_NONE;
	for (size_t i = 0; i < size; i++) {
		bool capital = text[i] >= 'A' && text[i] <= 'Z';
		low[i] = (char)(capital ? text[i] | 32 : text[i]);
		same &= !capital;
	}
	uint64_t h = token_hash(low, size);
	if (ret_hash && same)
		*ret_hash = h;
	for (size_t at = h & (SLOTS - 1); slots[at].hash; at = (at + 1) & (SLOTS - 1))
		if (slots[at].hash == h)
			return slots[at].classes;
	return CLASS_NONE;
}
