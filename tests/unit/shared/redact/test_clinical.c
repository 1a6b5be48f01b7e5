/* Clinical mode: what names somebody goes, what is medicine stays.  In the texts below, what must go stands between
 * braces; nothing may be touched in those without. */
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>

#include "shared/redact/redact.h"

static char plain[1024];
static bool wanted[1024];

/* The text without its braces, and which bytes stood between them. */
static size_t read_marked(const char *marked)
{
	size_t n = 0;
	bool inside = false;
	for (; *marked; marked++) {
		if (*marked == '{' || *marked == '}') {
			inside = *marked == '{';
			continue;
		}
		assert_true(n + 1 < sizeof plain);
		wanted[n] = inside;
		plain[n++] = *marked;
	}
	plain[n] = '\0';
	return n;
}

static size_t find(enum redact_mode mode, size_t size, struct redact_span *spans, size_t max)
{
	const struct redact_options o = {.mode = mode};
	return redact_find(&o, NULL, plain, size, spans, max);
}

static void all_of_it_goes(const char *const *texts, size_t count)
{
	struct redact_span spans[64];
	for (size_t i = 0; i < count; i++) {
		bool gone[sizeof plain] = {0};
		size_t n = read_marked(texts[i]), found = find(REDACT_CLINICAL, n, spans, 64);
		for (size_t k = 0; k < found; k++)
			memset(gone + spans[k].start, 1, spans[k].end - spans[k].start);
		for (size_t b = 0; b < n; b++)
			if (wanted[b] && !gone[b] && plain[b] != ' ')
				fail_msg("%s: \"%s\" stays", texts[i], plain + b);
	}
}

static void nothing_goes(enum redact_mode mode, const char *const *texts, size_t count)
{
	struct redact_span spans[64];
	for (size_t i = 0; i < count; i++) {
		size_t n = read_marked(texts[i]);
		if (find(mode, n, spans, 64))
			fail_msg("%s: \"%.*s\" goes", texts[i], (int)(spans[0].end - spans[0].start),
			    plain + spans[0].start);
	}
}
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void persons(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "Pt {Harriet Oyelaran} presented with dyspnea.",
	    "{Krzysztof Wrzesniewski} listed his drugs.",
	    "a 70-year-old male named {James Brown}, smoker",
	    "Seen by {Tomasz Zieli\xc5\x84ski, MD} today.",
	    "Why is {Katrine} so impulsive?",
	    "female like {Jane A. Doe}, a smoker",
	    "Chart of {WANJIKU, GRACE N} reviewed.",
	    "spoke to {maria lopez} again",
	    "Mother, {Guadalupe Ontiveros}, reports fever.",
	    "the proxy is {Marguerite Delacroix-Bowen}",
	    "{\xce\x95\xcf\x81\xce\xbc\xce\xb7\xcf\x82 \xce\xa0\xce\xb1\xcf\x80\xce\xac\xcf\x82} called",
	    "like {Ana Marrero} and {Murphy} there",
	};
	all_of_it_goes(texts, COUNT(texts));
}

static void places(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "seen at {Baylor Med. Center} on {Feb 2nd 2021}",
	    "treated in {Cedars-Sinai ER} for pain",
	    "seen at {Mayo Clinic in Rochester, MN} last",
	    "moved here from {New Zealand}",
	    "resident of {123 Maple Street, Chicago, IL 60601}, who",
	    "transferred from {Kestrel Valley Nursing Home}.",
	    "at {Brigham & Women\xe2\x80\x99s} on {08/22}, with MRN",
	    "lives in {Sioux Falls, SD}.",
	    "validate {4880 Betburweg 74 Suite 967 Apt. 267, Lascano, Uruguay 80694}",
	    "{28245 Puruntie 82 Apt. 595\n   LAPPEENRANTA\n    53650}",
	    "office at {PSC 0413, Box 8144\nAPO AA 42323}",
	    "lives at {221B Baker Street, London NW1 6XE}",
	    "{12 rue de la Paix, Paris}",
	    "resides at {Flat 7, 14 Harewood Close, Leeds LS6 2QQ}.",
	    "in {75008 Paris} today",
	    "similar pain at {Sacred Heart} for",
	    "she works at {Harlow Textiles Ltd.} in {Tacoma}",
	    "my zip code is {90210}",
	};
	all_of_it_goes(texts, COUNT(texts));
}

static void numbers_of_persons(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "VIN {1HGCM82633A004352}",
	    "plate {B-AB 1234} parked",
	    "License plate {KLM 4821};",
	    "registration {AB51 ABC}",
	    "NHS number {943 476 5919}",
	    "National Insurance {QQ 12 34 56 C} on file",
	    "Medicare {1EG4-TE5-MK73}",
	    "DEA {AB1234563}, NPI {1245319599}",
	    "PAN {ABCPE1234F}",
	    "CPF {123.456.789-09}",
	    "ITIN {912 70 1234}",
	    "hetu {131052-308T}",
	    "CURP {HEGG560427MVZRRL04}",
	    "INSEE {1 84 12 76 451 089 46}",
	    "serial {PM-8823-XK}",
	    "fingerprint {FP-88A1-99C2-77}",
	    "record {#EM-345678}.",
	    "wallet {bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq}",
	    "MAC {00:1B:44:11:3A:B7} at {203.0.113.45}",
	    "badge number {48213}",
	    "username {jroe84}, handle {@rosaq_84}, {www.hartwellfamily.net/photos}",
	    "DOB {3-Feb-88}, Pharmacy {#10442}",
	    "see {portal.example.com}",
	    "call {467 3395}",
	    "({Patient ID: ABCD1234})",
	    "aged {101}, born {12 March 1961}, on {5/21} and on {Tuesday}",
	    "Phone:\n{0487 98 11 92}",
	};
	all_of_it_goes(texts, COUNT(texts));
}

static void medicine_stays(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "What is the Wells score cutoff for pulmonary embolism in a 45-year-old woman?",
	    "Does a positive Babinski sign correlate with upper motor neuron disease?",
	    "How does the Glasgow-Blatchford score compare with the Rockall score?",
	    "Does the Edinburgh Postnatal Depression Scale work in fathers?",
	    "prognosis of Lou Gehrig\xe2\x80\x99s disease and Parkinson's",
	    "Is it safe to combine St. John's wort with Zoloft?",
	    "What are the Rome IV criteria for irritable bowel syndrome?",
	    "uncontrolled Type 2 Diabetes and an HbA1c of 10, recent high D-dimer levels",
	    "Medications: Lisinopril 10 mg daily, Atorvastatin 40 mg nightly, Aspirin 81 mg daily.",
	    "Assessment and Plan: 1. Type 2 Diabetes Mellitus. Increase Metformin to 1000 mg BID.",
	    "BP 132/84, HR 76, SpO2 98% on room air, WBC 11.2, LVEF 35-40%",
	    "MRI of the lumbar spine revealed disc herniation at L4-L5 with nerve root compression.",
	    "Is Qwertumab safe after failure of Zyxapril in a patient with latent tuberculosis?",
	    "a 55yo Hispanic female, diagnosed in 2021, last checked in 2022",
	    "Which antibiotics cover Pseudomonas aeruginosa and MRSA?",
	    "Explain the Frank-Starling mechanism in heart failure.",
	    "the Patient Health Questionnaire score was 14",
	    "WBC 11.2, Na 138, K 4.1, Cr 1.1. He was started on a Heparin drip.",
	    "Does the Atkins diet worsen gout, or Kocher versus Cunningham?",
	};
	nothing_goes(REDACT_CLINICAL, texts, COUNT(texts));
}

/* A lone word that is in no list is a name where nothing speaks of medicine, or where another identifier stands. */
static void a_lone_unknown_word_is_judged_by_its_text(void **state)
{
	(void)state;
	static const char *const stays[] = {"Does Xyzzadine interact with warfarin?"};
	static const char *const goes[] = {"I saw {Xyzzadine} again", "On {04/22/2023} {Xyzzadine} took her warfarin"};
	nothing_goes(REDACT_CLINICAL, stays, COUNT(stays));
	all_of_it_goes(goes, COUNT(goes));
}

/* Words that announce an identifier in prose say other things in logs. */
static void labels_of_prose_are_none_in_logs(void **state)
{
	(void)state;
	static const char *const lines[] = {
	    "eth0: rx 123456 tx 998877 dropped 0",
	    "ticket 20231 serial: 88213377 reference=123456",
	    "registration 1234567 of sn=998877665 lot 123456",
	    "Server Starting at Springfield Hospital Node",
	};
	nothing_goes(REDACT_LOG, lines, COUNT(lines));
}

static void numbers_of_many_registers(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "{jg 12 13 16 a} is my number",
	    "driving licence {JONES 712125 J99KX}",
	    "tarjeta sanitaria {BBBB BB 1234567890}",
	    "targa {FA 123 KL}, Tel.: {0211 / 4567-890}",
	    "HKID {A123456(3)}, OHIP {5584-486-674-YM}",
	    "c\xc3\xa9\x64ula {1.020.345.678}",
	    "born {811228+9874}",
	    "Policy: {GPX 4471 882}",
	    "Booking ref {X7K2PQ} made",
	    "my card number is {4111 1111 1111 1111} and cvv {123}",
	    "card ending {4417}",
	    "file {smith_john_mri.pdf} by {willo_1948}",
	    "login for {jqsmythe} failed",
	    "SSH to user@{2001:db8::1} or {::}",
	};
	all_of_it_goes(texts, COUNT(texts));
}

static void coordinates(void **state)
{
	(void)state;
	static const char *const goes[] = {
	    "at {40.741895,-73.989308} then",
	    "fix {21.3069 N, 157.8583 W} for unit 9",
	    "found {48\xc2\xb0 51\xe2\x80\xb2 N 2\xc2\xb0 17\xe2\x80\xb2 E} there",
	    "lat={47.6205} lon={-122.3493}",
	};
	static const char *const stays[] = {
	    "weights 0.1234 and 5.6, ratio 1.25, 2.75",
	    "temperature 37.5 \xc2\xb0\x43 at noon",
	};
	all_of_it_goes(goes, COUNT(goes));
	nothing_goes(REDACT_CLINICAL, stays, COUNT(stays));
}

static void dates_of_other_languages(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "el {12 de mayo de 2023} en",
	    "le {3 f\xc3\xa9vrier 1951} et",
	    "am {5. M\xc3\xa4rz 2022} um",
	    "nata il {3 aprile 1950} a",
	    "on {Friday, June 14, 2024 at 3:30 PM} sharp",
	};
	all_of_it_goes(texts, COUNT(texts));
}

static void names_by_their_neighbours(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "Discharge summary for {Okonkwo, Chidinma}, seen",
	    "Insured's name {CHUKWU, EMEKA} of",
	    "PID|1||{DOE^JANET^Q}||{22 OAK LANE^^DAYTON^OH^45402}|",
	    "Passenger {KOVALENKO/OLENA} went",
	    "{Tilly Nicholson} lives there",
	    "ref {Aldous Penhaligon} of",
	    "was called {Yulan Peres}, and",
	    "Name:    {Iva D. Grusova}",
	    "initials {J.R.M.} in the study",
	    "nurse at {riverbend clinic} called",
	    "abita in {Via Garibaldi 14, 20121 Milano}.",
	    "Deliver to: {Hauptstra\xc3\x9f\x65 27, 10827 Berlin}",
	    "{4410 Old Mill Road, Bend, OR 97701}",
	    "{\xe5\xb1\xb1\xe7\x94\xb0\xe5\xa4\xaa\xe9\x83\x8e} \xe6\xa7\x98",
	};
	all_of_it_goes(texts, COUNT(texts));
}

/* What looks like an identifier and is everybody's, and what programs say. */
static void codes_and_machines_stay(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "SNOMED 44054006, ATC C09AA05, CVE-2021-44228, AES-256",
	    "error 0x80070005 in module",
	    "T2N1M0",
	    "ID 000000000 fills the form",
	    "Kernel lag is 120000 messages on partition 7",
	    "SELinux is preventing access; 2.4 GHz",
	    "Name: Required",
	    "Norwegian scabies and Fisher grade 3",
	    "the Boston bowel preparation scale of 8",
	};
	nothing_goes(REDACT_CLINICAL, texts, COUNT(texts));
}

static void passwords_in_sentences_and_options(void **state)
{
	(void)state;
	static const char *const goes[] = {
	    "password for the lab share is {Winter2024!}",
	    "curl -u admin:{P4ssw0rd!} http",
	    "mysqldump -uroot -p{Adm1nPw} records",
	    "smtp_pass: \"{kq83-Zmml-22}\"",
	};
	static const char *const stays[] = {
	    "password for the account is wrong",
	    "docker run -u 1000:1000 -p8080",
	    "password is required to continue",
	};
	struct redact_span spans[8];
	for (size_t i = 0; i < COUNT(goes); i++) {
		size_t n = read_marked(goes[i]), found = find(REDACT_LOG, n, spans, 8);
		assert_int_equal(found, 1);
		for (size_t b = 0; b < n; b++)
			assert_int_equal(wanted[b], b >= spans[0].start && b < spans[0].end);
	}
	nothing_goes(REDACT_LOG, stays, COUNT(stays));
}

/* Words in small letters take a way of their own; labels of up to three words and names among them are found there. */
static void words_in_small_letters(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "his bank account {4471} there",
	    "the medical record number {4471} there",
	    "spoke to {melanie ortega} about pain",
	};
	all_of_it_goes(texts, COUNT(texts));
}

/* Days that are written without a number, or with a weekday before it. */
static void days(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "seen {Thursday 12 October at 9:40}",
	    "scan on {Wed 3 Jan 14:20}, bring the card",
	    "colonoscopy {Tues 5/14}",
	    "fever since {tuesday}",
	    "well until {Christmas Eve}",
	    "overdose on {Boxing Day 2022}",
	    "lumpectomy ({6/2019}), now back pain",
	    "nursing note {12/03} 0740: slept poorly",
	    "admitted {January the fourth}",
	};
	static const char *const none[] = {
	    "O2 sat 18 and stable",
	    "Christmas disease is factor IX deficiency",
	    "QTc 470 ms. Sgarbossa criteria negative",
	};
	all_of_it_goes(texts, COUNT(texts));
	nothing_goes(REDACT_CLINICAL, none, COUNT(none));
}

/* What stands in the columns and fields of forms, and in what programs exchange. */
static void forms(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "Patient: {Quigley, Brendan}. Exam: CT",
	    "Dear {Dr. Villanueva}, thank you",
	    "Name      {VAN DEN BERG, SASKIA}\nSodium 139",
	    "PATIENT'S NAME {GARRIDO, PALOMA}, M\n",
	    "Name: {\xe6\x9d\x8e\xe5\xb0\x8f\xe9\xbe\x99}",
	    "Informant: {Verity Lyle}\n",
	    "\"line\":[\"{ul. Brzozowa 12/4}\"],\"city\":\"{Warszawa}\"",
	    "<city>{Beaverton}</city>",
	    "\"id\":\"{enc-99120}\"",
	    "Domicilio: {Calle Mayor 21, 31001 Pamplona}\n",
	    "Pharmacy: {Corner Drug}, {Hazard, KY}",
	    "presented to {Mercy General} ED",
	    "struck on {Halsted Street} at noon",
	    "subject, initials {KJL}, randomised",
	    "scanned {(01)00643169007222(17)241130(21)RNA204417}",
	    "{P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<\nL898902C36UTO7408122F1204159ZE184226B<<<<<10}",
	    "{CDATNNBW7ZBR7NDVC} was towed",
	    "found near {9F4MGC22+22} at dawn",
	    "away from {3 to 7 July 2023}, then back",
	};
	static const char *const none[] = {
	    "<code code=\"44054006\" codeSystem=\"2.16.840.1.113883.6.96\" displayName=\"Diabetes mellitus type 2\"/>",
	    "Sodium 139 mmol/L (135-145)",
	    "OBR|1|||24331-1^Lipid panel^LN|||F",
	    "HCT 41.2 PLT 233 MCV 89.4",
	    "Form CMS-1500 approved OMB-0938-1197",
	    "with food. Refills: 2. Qty: 60.",
	    "EGD shows Forrest Ib ulcer, clipped",
	};
	all_of_it_goes(texts, COUNT(texts));
	nothing_goes(REDACT_CLINICAL, none, COUNT(none));
}

/* Forms typed in capitals, numbered labels, lists of a ward, other scripts. */
static void lists_and_capitals(void **state)
{
	(void)state;
	static const char *const texts[] = {
	    "HOSPITAL NO. {H/20/3391}  NAME {AMINU SULEIMAN}  AGE 34",
	    "{GUTIERREZ,MARIA DEL CARMEN} {03/03/1951}",
	    "Emergency contact 2: {Min-jun Park} {010-5555-0148}",
	    "list {08/05}\n1. {Pettigrew} - home today\n2. {Akhtar} - await echo",
	    "\xe6\x82\xa3\xe8\x80\x85\xe6\xb0\x8f\xe5\x90\x8d:{\xe4\xbd\x90\xe8\x97\xa4\xe8\x8a\xb1} "
	    "{1968\xe5\xb9\xb4"
	    "5\xe6\x9c\x88"
	    "12\xe6\x97\xa5} \xe9\x9b\xbb\xe8\xa9\xb1:{03-5555-0142}",
	    "patient={Rourke,Declan} mrn={2204417}",
	    "3312^{OYELARAN^SADE}",
	    "resides at {RR 2 Box 118, Tahlequah OK 74464}.",
	    "lives at {14/2 Gandhi Nagar, Madurai}",
	    "ltc1 wallet {ltc1qpkc7gsw7flqzywunzmr2w5n48tpgtwxme4flqk}",
	    "last well on {Sunday the 12th}",
	    "form signed {05.02.24} by {Dr Farouk}",
	    "{mr abdi warsame} here with back pain",
	    "Dr. {Strand} notified 0340 {4/19}",
	    "Seen at {Camp Lejeune} by {Ms Ito}; cough began {1/20}.",
	};
	static const char *const clean[] = {
	    "Vent settings AC 16/450/5/40, ABG 7.38/42/88/24",
	    "Pain 6/10 to 3/10 after Toradol 15 mg IV.",
	    "Stool O&P negative x3, Giardia antigen negative.",
	    "Form HCFA-1500 rev 02/12, box 24D, modifier 25",
	    "Ann Arbor stage III, cycle 2 day 15 held",
	    "Ross procedure versus Ozaki technique in young adults?",
	    "RR 18, HR 92, gravida 3 Para 2, EGA 38w4d",
	    "checksum 9f86d081884c7d65 differs",
	    "{\"system\":\"http://loinc.org\",\"code\":\"4548-4\"}",
	    "referred by Internal Medicine, seen at Physical Therapy Department",
	    "lon=",
	};
	all_of_it_goes(texts, COUNT(texts));
	for (size_t i = 0; i < COUNT(clean); i++) {
		struct redact_span spans[8];
		const struct redact_options o = {.mode = REDACT_CLINICAL};
		if (redact_find(&o, NULL, clean[i], strlen(clean[i]), spans, 8))
			fail_msg("%s: \"%.*s\" goes", clean[i], (int)(spans[0].end - spans[0].start),
			    clean[i] + spans[0].start);
	}
}

/* Parts of notes, strung together at random: what redact_text() leaves holds nothing that redact_find() finds, though
 * it looks only at those parts of its own result again that a placeholder may have changed. */
static void nothing_is_left_behind(void **state)
{
	(void)state;
	static const char *const parts[] = {"patient ", "Dr. ", "Mother ", "name: ", "MRN ", "MRN: ", "John ", "Smith",
	    "Okafor ", "Mercy ", "General ", "Hospital ", "at ", "of ", "for ", "the ", "The ", "60-year-old ", "60 ",
	    "on ", "5/6 ", "April 12, 2023 ", "12 ", "Elm ", "Street", ", ", ". ", "\n", ": ", "(", ") ", "'s ",
	    "maria ", "lopez ", "jw 22 34 51 b ", "CHF ", "Babinski ", "sign ", "COPD,", "Springfield, IL 62704 ", "& ",
	    "x@y.example ", "555-123-4567 ", "[NAME] ", "[DATE]", "New ", "York ", "Christmas ", "Eve ", "-", "van ",
	    "der ", "id ", "A12345678 ", "said ", "\"", "987654321 ", "clinic ", "riverbend ", "like ", "J. ", "R.",
	    "Boston ", "bowel ", "scale ", "no. ", "is ", "90 ", "aged ", "=", "/", "#"};
	const struct redact_options o = {.mode = REDACT_CLINICAL};
	uint64_t seed = 1;
	for (int round = 0; round < 60000; round++) {
		char text[512];
		size_t n = 0;
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t bits = seed;
		for (size_t left = 2 + (bits >> 60); left > 0; left--) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			const char *part = parts[(seed >> 33) % COUNT(parts)];
			memcpy(text + n, part, strlen(part));
			n += strlen(part);
		}
		struct buf out = BUF_INIT;
		struct redact_span spans[64];
		(void)redact_text(&o, NULL, text, n, &out);
		if (redact_find(&o, NULL, (const char *)out.data, out.size, spans, 64))
			fail_msg("%.*s: in %s \"%.*s\" is left", (int)n, text, buf_str(&out),
			    (int)(spans[0].end - spans[0].start), (const char *)out.data + spans[0].start);
		buf_done(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(persons),
	    cmocka_unit_test(places),
	    cmocka_unit_test(numbers_of_persons),
	    cmocka_unit_test(numbers_of_many_registers),
	    cmocka_unit_test(coordinates),
	    cmocka_unit_test(dates_of_other_languages),
	    cmocka_unit_test(names_by_their_neighbours),
	    cmocka_unit_test(codes_and_machines_stay),
	    cmocka_unit_test(passwords_in_sentences_and_options),
	    cmocka_unit_test(words_in_small_letters),
	    cmocka_unit_test(medicine_stays),
	    cmocka_unit_test(a_lone_unknown_word_is_judged_by_its_text),
	    cmocka_unit_test(labels_of_prose_are_none_in_logs),
	    cmocka_unit_test(days),
	    cmocka_unit_test(forms),
	    cmocka_unit_test(lists_and_capitals),
	    cmocka_unit_test(nothing_is_left_behind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
