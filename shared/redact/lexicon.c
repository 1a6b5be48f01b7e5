/* The table behind lexicon_find(): hash to kinds, open addressing, filled once. */
#include "shared/redact/lexicon.h"

#include <assert.h>
#include <pthread.h>

#include "shared/redact/scan.h"

enum {
	SLOTS = 65536, /* a power of two, over twice the words */
	ENDING_LEAST = 3,
	ENDING_MOST = 8,
	STEM_LEAST = 3, /* letters before an ending */
};

/* A slot: the hash's upper bits, and the kinds in its lowest bits. */
static word_hash slots[SLOTS];
enum { KINDS_MASK = (1 << LEX_BITS) - 1 };

/* A bit for the upper bits of each given name's hash: most words of a text are told from it alone. */
uint64_t lexicon_given_bits[1 << (LEXICON_GIVEN_BITS - 6)];

static unsigned look_up(word_hash h)
{
	for (size_t at = (h >> 40) & (SLOTS - 1); slots[at]; at = (at + 1) & (SLOTS - 1))
		if (((slots[at] ^ h) & ~(word_hash)KINDS_MASK) == 0)
			return slots[at] & KINDS_MASK;
	return 0;
}

static size_t add(word_hash h, unsigned kinds)
{
	size_t at = (h >> 40) & (SLOTS - 1);
	while (slots[at] && ((slots[at] ^ h) & ~(word_hash)KINDS_MASK) != 0)
		at = (at + 1) & (SLOTS - 1);
	bool fresh = !slots[at];
	slots[at] = (h & ~(word_hash)KINDS_MASK) | (slots[at] & KINDS_MASK) | kinds;
	return fresh;
}

static void add_given(word_hash h, const char *word, size_t letters)
{
	lexicon_given_bits[h >> (70 - LEXICON_GIVEN_BITS)] |= 1ull << (h >> (64 - LEXICON_GIVEN_BITS) & 63);
	small_add(&small_words[REDACT_CLINICAL], word, letters);
}

/* Words behind which a name, a place, a weekday or month, a date often stands. */
static const char
    to_name
	[] =
	    "named name called patient pt client by mother father son daughter wife husband brother sister "
	    "kid baby girl boy infant toddler twin gentleman lady grandmother grandfather grandma grandpa roommate "
	    "neighbor neighbour colleague teacher coach says said friend doctor nurse contact hello hi dear am "
	    "surgeon anesthesia anesthetist anaesthetist anesthesiologist circulator scrub assistant tech technician "
	    "phlebotomist phleb provider attending consultant resident intern endoscopist radiologist pathologist "
	    "cardiologist prescriber dictated typed transcribed signed witnessed recipient donor teacher educator "
	    "sponsor proband regarding caller dietitian therapist physiotherapist hospitalist paramedic chw pmd pcp "
	    "poa hcpoa grandson granddaughter stepson stepdaughter stepfather stepmother brotherinlaw sisterinlaw "
	    "motherinlaw fatherinlaw roommates principal dean boyfriend girlfriend supervisor manager claimant adjuster "
	    "insured decedent deceased subscriber tenant landlord owner driver "
	    "nurse carer midwife counsellor counselor attorney lawyer pharmacist student chaplain interpreter "
	    "informant caller witness officer constable pastor clergy guarantor proxy "
	    "initials aunt uncle niece nephew cousin fiance "
	    "fiancee partner spouse guardian caregiver caretaker sincerely regards",
 to_place[] = "in at from to near visiting outside via our of into around through",
 of_medicine[] =
     "patient patients treatment treatments diagnosis diagnosed therapy dose dosage dosing clinical "
     "clinic surgery surgical symptom symptoms vaccine chronic acute disease diseases medication "
     "medications drug drugs prescription prescribed screening prognosis infection injection "
     "pregnancy pregnant allergy allergic pain blood cancer tumor physician doctor hospital "
     "efficacy contraindication contraindications interactions protocol criteria mg ml mcg "
     "referral referred procedure percentile motor gait labs vitals adults cycle stage grade score scale titrate taper "
     "tablet tablets capsule units topical oral nightly daily weekly bid tid qid prn po iv npo icu ecg ekg ct mri "
     "xray ultrasound scan wound nurse nursing rehab postpartum hypoglycemia booster visible culture stain target dental "
     "orthopedic pediatric splint splints ncs emg bp hr ef inr bun wbc hgb "
     "history exam imaging biopsy endoscopic antibiotic antibiotics syndrome",
 of_machines[] = "dns lookup tls ssl ssh http https tcp url json xml yaml sql server servers kernel process "
		 "cluster node nodes database query queue disk memory cpu cache "
		 "socket port packet network router firewall proxy timeout latency error errors exception "
		 "warning fatal panic crash crashed dump deploy deployed deployment version upgrade rollback "
		 "restart restarted reboot login files config configuration container script build commit "
		 "compiler runtime heap buffer checksum certificate protocol endpoint api client browser click "
		 "settings install download upload backup snapshot partition shard schema checkpoint software "
		 "hardware driver firmware command shell terminal password token threshold localhost backend "
		 "frontend daemon cron log logs dashboard pipeline webhook plugin",
 of_codes[] =
     "rev checksum hash digest commit build revision sha form omb snomed loinc icd cpt rxnorm mesh pmid pmcid pubmed doi atc hcpcs drg cve cwe iso ndc issn aes sha rsa "
     "isbn",
 to_street[] = "ul al os via rue calle rua strada str bd av avenida piazza corso viale ulica ulitsa jl jalan",
 to_angle[] = "n s e w long lat latitude lon lng longitude latitud longitud",
 to_house[] = "at from near our visiting lives living resides outside",
 to_firm[] =
     "client employer employed school attends works worked workplace hospital site location company branch clinic "
     "ward vendor lab laboratory referred enrolled by with through under insurer employer pharmacy practice provider surgery gp facility",
 to_day[] = "on in since until last this next late early mid",
 to_date[] =
     "on since until till from by today is dated date before after through to and visit seen "
     "adm admit admits discharge transferred began begins begun started starting start stopped ended clinic recall list "
     "log rounds due injection surgery op call called visits redraw collected drawn scheduled booked rescheduled "
     "signed faxed sent received appt appointment review followup returned fell readmitted extubated intubated "
     "delivered attempt session check wellchild vaccinated "
     "addendum entry admitted discharged between around tomorrow yesterday exp expires expiry due";

static void fill(void)
{
	static const struct {
		const char *words;
		unsigned kinds;
	} lists[] = {
	    {lexicon_plain, LEX_PLAIN},
	    {lexicon_common, LEX_PLAIN},
	    {lexicon_medical, LEX_MEDICAL},
	    {lexicon_bedside, LEX_MEDICAL},
	    {lexicon_term_noun, LEX_TERM | LEX_PLAIN},
	    {lexicon_term_strong, LEX_TERM | LEX_STRONG | LEX_PLAIN},
	    {lexicon_endings, LEX_ENDING},
	    {lexicon_given, LEX_GIVEN},
	    {lexicon_family, LEX_FAMILY},
	    {lexicon_more_given, LEX_GIVEN},
	    {lexicon_more_family, LEX_FAMILY},
	    {lexicon_place, LEX_PLACE},
	    {lexicon_nation, LEX_NATION},
	    {lexicon_org, LEX_ORG},
	    {to_name, LEX_TO_NAME},
	    {to_place, LEX_TO_PLACE},
	    {to_day, LEX_TO_DAY},
	    {to_date, LEX_TO_DATE},
	    {to_house, LEX_TO_HOUSE},
	    {to_firm, LEX_TO_FIRM},
	    {of_medicine, LEX_CLINIC},
	    {of_machines, LEX_MACHINE},
	    {of_codes, LEX_CODE},
	    {to_angle, LEX_TO_ANGLE},
	    {to_street, LEX_TO_STREET},
	};
	size_t count = 0;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		word_hash h = 0;
		const char *word = lists[i].words;
		for (const char *p = word;; p++) {
			if (is_alpha((uint8_t)*p)) {
				h = word_hash_add(h, (uint8_t)*p);
			} else if (*p == ' ' || !*p) {
				count += h ? add(h, lists[i].kinds) : 0;
				if (lists[i].kinds == LEX_GIVEN && h)
					add_given(h, word, (size_t)(p - word));
				h = 0;
				word = p + 1;
			}
			if (!*p)
				break;
		}
	}
	assert(count < SLOTS / 2);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local bool ready; /* on this thread: asked at each text, most of which are a line */

void lexicon_ready(void)
{
	if (!ready)
		(void)pthread_once(&once, fill);
	ready = true;
}

static word_hash hash_of(const uint8_t *p, size_t n)
{
	word_hash h = 0;
	for (size_t i = 0; i < n; i++)
		h = word_hash_add(h, p[i]);
	return h;
}

static unsigned plain_of(const uint8_t *p, size_t n)
{
	return n >= STEM_LEAST ? look_up(hash_of(p, n)) & (LEX_PLAIN | LEX_MEDICAL) : 0;
}

/* The word without a regular ending: -s, -ed, -ing, -ly … */
static unsigned inflected(uint8_t *p, size_t n)
{
	static const struct {
		char text[4];
		size_t size;
	} endings[] = {{"s", 1}, {"es", 2}, {"d", 1}, {"ed", 2}, {"ing", 3}, {"ly", 2}, {"er", 2}, {"r", 1}, {"ers", 3},
	    {"rs", 2}, {"est", 3}, {"y", 1}};
	unsigned found = 0;
	for (size_t i = 0; i < sizeof endings / sizeof endings[0] && !found; i++) {
		size_t stem = n - endings[i].size;
		bool after_e = endings[i].text[0] == 'd' || endings[i].text[0] == 'r'; /* nursed, nurser; not Petr */
		if (after_e && n > endings[i].size && p[stem - 1] != 'e')
			continue;
		if (n < STEM_LEAST + endings[i].size || p[n - 1] != (uint8_t)endings[i].text[endings[i].size - 1] ||
		    memcmp(p + stem, endings[i].text, endings[i].size) != 0)
			continue;
		found = plain_of(p, stem);
		if (!found && stem > STEM_LEAST && p[stem - 1] == p[stem - 2])
			found = plain_of(p, stem - 1);     /* planned */
		if (!found && endings[i].text[0] != 's') { /* making; tried, happily */
			uint8_t after = p[stem];
			p[stem] = 'e';
			found = plain_of(p, stem + 1);
			p[stem] = after;
		}
		if (!found && p[stem - 1] == 'i') {
			p[stem - 1] = 'y';
			found = plain_of(p, stem);
			p[stem - 1] = 'i';
		}
		bool likely = endings[i].text[0] == 's' || endings[i].text[0] == 'i' || after_e ||
			      (endings[i].text[0] == 'e' && endings[i].text[1] == 'd');
		if (found && !likely)
			found |= LEX_LEARNED; /* Tilly, Carly, Peres end as words do */
	}
	return found;
}

static unsigned prefixed(const uint8_t *p, size_t n)
{
	static const struct {
		char text[6];
		size_t size;
	} prefixes[] = {{"un", 2}, {"re", 2}, {"non", 3}, {"pre", 3}, {"post", 4}, {"anti", 4}, {"inter", 5},
	    {"over", 4}, {"under", 5}, {"sub", 3}, {"super", 5}, {"micro", 5}, {"multi", 5}, {"mid", 3}, {"out", 3},
	    {"self", 4}, {"hyper", 5}, {"hypo", 4}, {"dis", 3}, {"mis", 3}};
	for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
		size_t k = prefixes[i].size;
		if (n > k + STEM_LEAST && p[0] == (uint8_t)prefixes[i].text[0] && memcmp(p, prefixes[i].text, k) == 0 &&
		    (plain_of(p + k, n - k) || (p[n - 1] == 's' && plain_of(p + k, n - k - 1)))) /* refills */
			return LEX_PLAIN;
	}
	return 0;
}

static unsigned learned(const uint8_t *p, size_t n)
{
	word_hash h = 0;
	for (size_t k = 1; k <= ENDING_MOST && k + STEM_LEAST <= n; k++) {
		h = word_hash_join(word_hash_add(0, p[n - k]), h, k - 1); /* the ending grows at its front */
		if (k >= ENDING_LEAST && look_up(h) & LEX_ENDING)
			return LEX_MEDICAL | LEX_LEARNED;
	}
	return 0;
}

/* ---- letters with marks ---- */

/* U+00C0 to U+017F without their marks, in small ("Sjogren" for the Swedish spelling); '?' for what is no letter. */
static const char plain_letters[] = "aaaaaaaceeeeiiiidnooooo?ouuuuytsaaaaaaaceeeeiiiidnooooo?ouuuuyty"
				    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllllllln"
				    "nnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs";

/* The letter that the two bytes at p are, or 0. */
static uint8_t unmarked(const uint8_t *p)
{
	unsigned code = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	if (code < 0xc0 || code >= 0xc0 + sizeof plain_letters - 1 || plain_letters[code - 0xc0] == '?')
		return 0;
	return (uint8_t)plain_letters[code - 0xc0];
}

/* The word's letters in small, at most LEXICON_WORD_MAX; how many. *ret_other: some are none of the Latin alphabet. */
static size_t letters_of(const uint8_t *word, size_t size, uint8_t *letters, bool *ret_other)
{
	size_t n = 0;
	*ret_other = false;
	for (size_t i = 0; i < size && n < LEXICON_WORD_MAX; i++) {
		if (is_alpha(word[i])) {
			letters[n++] = lower(word[i]);
		} else if (word[i] >= 0x80) {
			uint8_t b = i + 1 < size && word[i] >= 0xc3 && word[i] <= 0xc5 ? unmarked(word + i) : 0;
			*ret_other |= !b;
			if (b)
				letters[n++] = b;
			i += b != 0;
		}
	}
	return n;
}

/* base: what word_kinds() says of it. */
static unsigned exact(word_hash h, unsigned base)
{
	unsigned kinds = look_up(h) & ~(unsigned)LEX_ENDING;
	kinds |= base & WORD_GIVEN ? LEX_GIVEN : 0u;
	kinds |= base & WORD_FAMILY ? LEX_FAMILY : 0u;
	kinds |= base & WORD_TOWN ? LEX_PLACE : 0u;
	return kinds | (base & WORD_COMMON ? LEX_PLAIN : 0u);
}

unsigned lexicon_exact(word_hash h)
{
	return exact(h, word_kinds(h));
}

unsigned lexicon_word(const uint8_t *word, size_t size)
{
	uint8_t letters[LEXICON_WORD_MAX];
	bool other;
	size_t n = letters_of(word, size, letters, &other);
	return n && !other ? lexicon_exact(hash_of(letters, n)) : 0;
}

/* What inflected(), prefixed() and learned() said of words that are in no list: they are asked again and again.  Each
 * thread has its own. */
enum { MEMO_SLOTS = 1024, MEMO_USED = 1 << (LEX_BITS + 2), MEMO_MASK = 2 * MEMO_USED - 1 };
static _Thread_local word_hash memo[MEMO_SLOTS]; /* as slots[], from the first round of each word on */

static unsigned derived(const uint8_t *word, size_t size, word_hash h, unsigned kinds)
{
	word_hash *slot = &memo[h >> 40 & (MEMO_SLOTS - 1)];
	if (((*slot ^ h) & ~(word_hash)MEMO_MASK) == 0 && *slot & MEMO_USED)
		return (unsigned)*slot & (MEMO_USED - 1);
	uint8_t letters[LEXICON_WORD_MAX];
	bool other;
	size_t n = letters_of(word, size, letters, &other);
	if (!(kinds & ~(unsigned)LEX_ORG))
		kinds |= inflected(letters, n);
	if (!kinds)
		kinds = prefixed(letters, n);
	if (!kinds)
		kinds = learned(letters, n);
	*slot = (h & ~(word_hash)MEMO_MASK) | MEMO_USED | kinds;
	return kinds;
}

unsigned lexicon_hashed(const uint8_t *word, size_t size, word_hash h, unsigned base)
{
	unsigned kinds = exact(h, base) & (LEX_WORDS | LEX_STRONG);
	return kinds & (LEX_PLAIN | LEX_MEDICAL) ? kinds : derived(word, size, h, kinds);
}

unsigned lexicon_find(const uint8_t *word, size_t size)
{
	uint8_t letters[LEXICON_WORD_MAX];
	bool other;
	size_t n = letters_of(word, size, letters, &other);
	if (n == 0 || other)
		return 0;
	word_hash h = hash_of(letters, n);
	return lexicon_hashed(word, size, h, word_kinds(h));
}
