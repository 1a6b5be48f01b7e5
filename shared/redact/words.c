/* The words that the rules know.  General knowledge of English forms, common names of many countries and the usual
 * spellings of keys; nothing here comes from one program or one data set. */
#include <assert.h>

#include "shared/redact/scan.h"

enum {
	SLOTS = 8192, /* a power of two, some four times the words */
};

word_hash word_powers[WORD_POWERS];

static struct slot {
	word_hash hash;
	unsigned kinds;
} slots[SLOTS];

static const struct {
	unsigned kinds;
	const char *words; /* lower-case letters only, separated by spaces: "api_key", "Api-Key" and "apiKey" are all
			      "apikey" */
} lists[] = {
    {WORD_PASSWORD | WORD_SUFFIX,
	"password passwd passwort pwd passphrase passcode userpassword pgpassword dbpassword dbpasswd mypassword rootpassword rootpw adminpassword bindpassword bindpw rediscliauth motdepasse contrasena identifiedby smtppass "
	"dbpass "
	"mailpass rootpass ftppass ldappass adminpass userpass mysqlpass pgpass proxypass sshpass"},
    {WORD_PASSWORD | WORD_KEY_ONLY, "pass pw pin cvv cvc otp pincode securitycode"},
    {WORD_PASSWORD | WORD_PROSE, "securityanswer secretanswer memorableword safeword"},
    {WORD_SECRET | WORD_SUFFIX,
	"secret token apikey accesskey secretkey privatekey secretaccesskey accesskeyid authtoken accesstoken "
	"refreshtoken idtoken "
	"sessiontoken clientsecret sharedsecret signingkey encryptionkey masterkey apitoken authkey connectionstring "
	"sastoken "
	"credential credentials sharedaccesssignature webhooksecret totpsecret presharedkey psk csrftoken xsrftoken"},
    {WORD_SECRET, "authorization proxyauthorization cookie setcookie xapikey xauthtoken jsessionid phpsessid "
		  "aspsessionid sessionid "
		  "sessioncookie xamzsecuritytoken xamzsignature accountkey storagekey subscriptionkey"},
    {WORD_SECRET | WORD_KEY_ONLY, "signature sig sid auth session nonce salt"},
    {WORD_SCHEME, "bearer basic digest negotiate apikeyauth"},
    {WORD_NAME | WORD_SUFFIX,
	"patientname firstname lastname fullname surname givenname familyname middlename maidenname mothersname "
	"mothersmaidenname membername subscribername insuredname guarantorname beneficiaryname cardholder "
	"cardholdername "
	"contactname nextofkin emergencycontact"},
    {WORD_NAME, "patient pt nameofpatient physician attending attendingphysician referringphysician guarantor"},
    {WORD_NAME | WORD_PROSE | WORD_KEY_ONLY,
	"name nome nombre nom vorname nachname apellido apellidos cognome naam imie"},
    {WORD_NAME | WORD_PROSE | WORD_KEY_ONLY, "first last fname lname"},
    {WORD_NAME | WORD_KEY_ONLY, "family given displayname realname customername clientname personname"},
    {WORD_BIRTH | WORD_SUFFIX,
	"dob dateofbirth birthdate birthday birthdt bornon deathdate dateofdeath deceaseddatetime"},
    {WORD_BIRTH, "born admitted admissiondate dischargedate discharged deceased admitdate dateofservice dos"},
    {WORD_MRN | WORD_SUFFIX,
	"mrn medicalrecord medicalrecordnumber medrec medrecno patientid patientnumber patientidentifier chartnumber "
	"hospitalnumber unitnumber medicalrecordno mpi empi"},
    {WORD_SSN | WORD_SUFFIX,
	"ssn socialsecurity socialsecuritynumber ssnumber socsec nationalid nationalidnumber nationalinsurance nino "
	"taxid taxpayerid taxidentification tin itin sin aadhaar aadhar cpf cnpj pesel bsn nif dni curp personnummer"},
    {WORD_ID | WORD_SUFFIX,
	"accountnumber acctno acctnumber accountno acctnum accountnum memberid membernumber policynumber policyno "
	"policyid subscriberid subscribernumber beneficiaryid beneficiarynumber healthplan healthplanid "
	"healthplannumber "
	"burgerservicenummer versichertennummer krankenversichertennummer sozialversicherungsnummer personalausweis "
	"reisepass "
	"fiscalcode taxfilenumber taxnumber insuranceid insurancenumber claimnumber claimid passport passportnumber "
	"passportno driverlicense "
	"driverslicense "
	"driverlicence driverslicence licensenumber licencenumber licenseno licenseplate numberplate "
	"npi dea deanumber encounterid encounternumber visitnumber casenumber caseid "
	"medicaidid medicareid medicarenumber medicaidnumber nhsnumber nhsno healthcardnumber healthcard studyid "
	"groupnumber certificatenumber serialnumber deviceserial deviceid vin vehicleid imei imsi iccid udid "
	"bankaccount routingnumber "
	"sortcode iban swiftcode creditcard cardnumber cardno debitcard ccnumber pan uniqueid uniqueidentifier "
	"referencenumber "
	"accessionnumber specimenid rxnumber prescriptionnumber employeeid employeenumber studentid"},
    {WORD_ID | WORD_PROSE,
	"uhid hospitalno ipno opno regdno bleep bleepno beeper ssnends ssnending visaending cardending endsin shieldno "
	"badgeid crewid donorid cardid memberno policyholder prisonerno inmateno inmateid bookingno "
	"refcode reference referenceno refno recordnumber recordno badge badgenumber badgeno "
	"employeebadge "
	"swift bic swiftcode biccode lotnumber lotno lot implantserial barcode samplenumber sampleid ticketnumber "
	"ticket "
	"invoicenumber ordernumber confirmationnumber transactionid trackingnumber siteid patientvisit registration "
	"registrationnumber plate plateno platenumber licenseplatenumber vehicleregistration votersid voterid "
	"voternumber "
	"stateid statelicense dln dl permitnumber visanumber alienregistration aliennumber greencard enrollmentid rxno "
	"rx "
	"fingerprintid voiceprint faceid biometricid retinascan deviceserialnumber serial serialno sn modelnumber udi "
	"abn acn tfn gstin uen nric fin nie steuerid steuernummer codicefiscale partitaiva vatnumber vat ein fein "
	"insurancepolicy insuranceplan insuranceno plannumber planid payerid rxbin rxgroup groupid grouppolicy "
	"group extension ext cdula cedula booking commission emp empno rego matrcula matricola targa dowd tessera "
	"tesserasanitaria "
	"tarjetasanitaria nss seguridadsocial checkno chequeno checknumber ending endingin lastfour lastdigits "
	"kenteken "
	"kennzeichen plaka plaque upi vpa wallet passportbook visano boardingpass pnr locator bookingref "
	"bookingreference confirmation "
	"confirmationno "
	"ohip ramq phn ihi hcn amka afm oib jmbg snils egn cnp cpr utr ppsn pps rut cuit cuil "
	"hsc gmc nmc ahpra prescriber matricula matricule rnokpp edrpou rodnecislo kennitala hetu isikukood asmens "
	"policyid insuredid guarantorid patientaccount accession serviceno servicenumber caserecord dossier filenumber "
	"fileno docket docketnumber matterid barnumber "},
    {WORD_ZIP, "zip zipcode postcode postalcode plz cap"},
    {WORD_ID | WORD_PROSE | WORD_KEY_ONLY, "id"},
    {WORD_ID | WORD_KEY_ONLY, "account acct policy member subscriber beneficiary passportid nhs accession"},
    {WORD_PHONE | WORD_SUFFIX,
	"phone phonenumber telephone mobilenumber cellphone faxnumber phoneno mobilephone homephone workphone"},
    {WORD_PHONE, "tel fax mobile cell telefon pager handy telefono telefone portable movil"},
    {WORD_EMAIL, "email emailaddress mail"},
    {WORD_ADDRESS | WORD_SUFFIX,
	"homeaddress streetaddress mailingaddress postaladdress patientaddress billingaddress residence "
	"shippingaddress addressline"},
    {WORD_ADDRESS | WORD_KEY_ONLY, "street zipcode zip postcode postalcode"},
    {WORD_ADDRESS | WORD_KEY_ONLY | WORD_PROSE,
	"address line city town village streetaddressline domicilio direccion adresse anschrift wohnort indirizzo "
	"endereco morada adres woonplaats ville ciudad citta stadt"},
    {WORD_USER, "user username login loginname userid useraccount logname ruser luser"},
    {WORD_USER | WORD_PROSE,
	"actor performer skype skypeid skypename handle nickname screenname instagram twitter snapchat telegram wechat "
	"tiktok discord"},
    {WORD_TITLE,
	"mevr dhr lcdr mr mrs ms miss mx dr cpl pvt maj cmdr pfc dott dottssa doctor prof professor madam herr frau mme "
	"mlle sra srta don dona signor signora monsieur "
	"dra fru smt shri "
	"nurse rev reverend fr rabbi imam capt sgt lt col judge dame"},
    {WORD_MONTH, "january february march april may june july august september october november december jan feb mar "
		 "apr jun jul aug "
		 "sep sept oct nov dec"},
    {WORD_MONTH | WORD_PROSE,
	"janvier fevrier mars avril mai juin juillet aout septembre octobre novembre decembre "
	"januar februar marz maerz juni juli oktober dezember enero febrero marzo abril mayo junio julio "
	"agosto septiembre octubre noviembre diciembre gennaio febbraio aprile maggio giugno luglio settembre "
	"ottobre novembre dicembre janeiro fevereiro marco maio junho julho setembro outubro novembro dezembro "
	"mrt okt sett ott giu lug fev juil kwi cze wrz paz "
	"januari februari maart mei augustus stycznia lutego marca kwietnia maja czerwca lipca sierpnia "
	"wrzesnia pazdziernika listopada grudnia desember kesakuu "
	/* without their letters that have marks */ "fvrier aot dcembre mrz padziernika wrzenia"},
    {WORD_DAY, "monday tuesday wednesday thursday friday saturday sunday"},
    {WORD_DAY | WORD_PROSE, "mon tue tues wed thu thur thurs fri sat sun"},
    {WORD_STREET,
	"rise mews crescent close grove gardens nagar colony marg chowk salai layout street st avenue ave av road rd boulevard blvd lane ln drive dr court ct circle cir terrace place "
	"pl square sq way "
	"highway hwy parkway pkwy crescent close row alley trail trl plaza grove mews gardens croft"},
    {WORD_HOUSE,
	"hospital hospitals clinic clinics infirmary hospice sanatorium medical healthcare health university "
	"college institute "
	"foundation memorial rehabilitation pharmacy laboratories pediatrics paediatrics dermatology orthopedics "
	"orthopaedics diagnostics correctional dental dentistry rehab associates physicians"},
    {WORD_AGE, "aged age turned"},
    {WORD_CARE, "hospital hospitals clinic clinics infirmary hospice sanatorium hosp"},
    {WORD_HOUSE, "med hosp univ"},
    {WORD_PLACE_PREP, "at from near visiting outside via"},
    {WORD_VISIT, "lives living lived resides residing resident admitted treated evaluated seen visited hospitalized "
		 "hospitalised presented "
		 "referred transferred diagnosed operated born moved discharged examined consulted followed"},
    {WORD_SITE, "clinic clinics hospital facility office branch center centre campus location site practice"},
    {WORD_NO_VALUE,
	"yes no true false null none nil empty unset undefined redacted hidden masked required invalid expired missing "
	"incorrect wrong failed failure ok enabled disabled changed not is was has for and the a an in on must should "
	"cannot will "
	"authentication check error unknown mismatch reset authenticated accepted rejected denied found"},
    {WORD_LINKER, "number numbers no num nr id ids identifier is was of are code value equals"},
    {WORD_INTRODUCES, "like named patient name pt for by with mentioning referencing involving regarding client mother "
		      "father son daughter "
		      "wife husband brother sister"},
    {WORD_GIVEN,
	"james mary robert patricia john jennifer michael linda david elizabeth william barbara richard susan joseph "
	"jessica thomas "
	"sarah charles karen christopher lisa daniel nancy matthew betty anthony margaret mark sandra donald ashley "
	"steven kimberly "
	"paul emily andrew donna joshua michelle kenneth carol kevin amanda brian dorothy george melissa timothy "
	"deborah ronald "
	"stephanie edward rebecca jason sharon jeffrey laura ryan cynthia jacob kathleen gary amy nicholas angela eric "
	"shirley "
	"jonathan anna stephen brenda larry pamela justin emma scott nicole brandon helen benjamin samantha samuel "
	"katherine gregory "
	"christine alexander debra patrick rachel frank carolyn raymond janet jack catherine dennis maria jerry "
	"heather tyler diane "
	"aaron ruth jose julie adam olivia nathan joyce henry virginia zachary victoria douglas kelly peter lauren "
	"kyle christina "
	"noah joan ethan evelyn jeremy judith walter megan christian andrea keith cheryl roger hannah terry jacqueline "
	"austin martha "
	"sean gloria gerald teresa carl ann harold sara dylan madison arthur frances lawrence kathryn jordan janice "
	"jesse jean bryan "
	"abigail billy alice bruce julia gabriel judy joe sophia logan grace alan denise juan amber albert doris "
	"willie marilyn "
	"elijah danielle wayne beverly randy isabella vincent theresa mason diana roy natalie ralph brittany bobby "
	"charlotte russell "
	"marie philip kayla eugene alexis jane ben tom tim jim bob bill mike dave steve dan sam alex chris matt nick "
	"tony greg "
	"carlos luis miguel jorge pedro manuel francisco antonio javier rafael diego fernando pablo sofia lucia carmen "
	"elena ana "
	"pierre michel claire camille louis hans klaus jurgen wolfgang heinrich ingrid greta sven lars erik bjorn "
	"astrid ivan dmitri "
	"sergei olga natasha svetlana vladimir igor mikhail tatiana mohammed muhammad ahmed ali fatima aisha omar "
	"hassan yusuf "
	"ibrahim khalid layla amir reza priya raj arjun rahul anita sanjay vijay deepak ravi amit neha pooja sunita "
	"wei li ming "
	"hiroshi yuki kenji takashi akira sakura minh linh nguyen giovanni marco luca francesca giulia paolo matteo "
	"chiara joao "
	"liam oliver lucas ella mia ava harper ruby jake luke ian neil fiona nigel colin graham stuart alastair "
	"siobhan aoife "
	"niamh padraig kwame chidi ngozi amara zara leah naomi ethel edith florence agnes mabel lillian clara rosa "
	"hazel "
	"irene edna gladys bernice josephine leonard melvin clifford vernon herman lloyd marvin gordon glenn leon "
	"tamara tanya tara tracy wendy yolanda yvonne vanessa valerie veronica sylvia sheila sherry stella suzanne "
	"sally roberta "
	"rhonda regina renee priscilla phyllis paula monica miriam mildred marjorie marion lois lorraine lydia kristen "
	"katie kate "
	"jill jo holly gail erin ellen elaine eileen dolores cindy claudia cathy caroline cassandra bonnie beth arlene "
	"april anne "
	"allison alicia ricardo roberto eduardo alejandro enrique hector oscar victor ernesto raul ruben salvador"},
    {WORD_FAMILY, "smith johnson williams jones garcia miller davis rodriguez martinez hernandez lopez gonzalez wilson "
		  "anderson taylor moore "
		  "jackson martin lee perez thompson harris sanchez clark ramirez lewis robinson allen wright torres "
		  "hill flores nelson baker "
		  "rivera campbell mitchell carter gomez phillips evans turner diaz parker cruz edwards collins reyes "
		  "stewart morris morales "
		  "murphy rogers gutierrez ortiz morgan cooper peterson bailey reed ramos kim cox ward richardson "
		  "watson brooks chavez bennett "
		  "mendoza ruiz hughes alvarez castillo sanders patel myers foster jimenez powell jenkins russell "
		  "sullivan fisher henderson "
		  "mcdonald coleman vasquez simmons romero griffin hayes graham wallace owens harrison ellis gibson "
		  "kennedy oconnor obrien "
		  "schmidt muller schneider weber meyer wagner becker hoffmann ivanov petrov singh khan chen wang "
		  "zhang liu yang huang "
		  "tanaka suzuki watanabe sato nakamura rossi russo ferrari bianchi novak kowalski nowak janssen "
		  "hansen johansson"},
    {WORD_TOWN,
	"london paris berlin madrid rome vienna dublin edinburgh glasgow manchester birmingham liverpool leeds "
	"bristol boston chicago "
	"houston dallas austin seattle portland denver phoenix philadelphia atlanta miami detroit minneapolis "
	"cleveland baltimore "
	"pittsburgh cincinnati milwaukee sacramento oakland tucson nashville memphis charlotte orlando tampa "
	"brooklyn manhattan bronx "
	"queens toronto montreal vancouver ottawa calgary sydney melbourne brisbane perth auckland mumbai "
	"delhi bangalore chennai "
	"tokyo osaka beijing shanghai singapore dubai cairo lagos nairobi johannesburg moscow warsaw prague "
	"budapest athens lisbon "
	"barcelona milan naples munich hamburg frankfurt zurich geneva brussels amsterdam copenhagen stockholm "
	"oslo helsinki "
	"california texas florida ohio michigan illinois pennsylvania massachusetts virginia maryland colorado "
	"arizona oregon nevada "
	"utah minnesota wisconsin missouri tennessee kentucky alabama louisiana oklahoma kansas iowa nebraska "
	"connecticut maine "
	"vermont delaware hawaii alaska montana idaho wyoming indiana mississippi arkansas newyork losangeles "
	"sanfrancisco sandiego "
	"sanfran sanantonio sanjose lasvegas neworleans saltlakecity newjersey northcarolina southcarolina ucla usc "
	"nyu mgh ucsf"},
    {WORD_COMMON, "the a an i it he she they we you this that these those what which who when where why how is are was "
		  "were do does did can "
		  "could should would will may might must if and or but not no yes in on at of for from to with by as "
		  "any all best latest "
		  "current there here please also recommend evaluate assess discuss review patient patients dr mr mrs "
		  "ms case history "
		  "treatment management therapy guidelines protocol diagnosis surgery post pre non type stage grade "
		  "chronic acute severe mild "
		  "monday tuesday wednesday thursday friday saturday sunday english spanish french german chinese "
		  "japanese american european "
		  "african asian hispanic caucasian latino january february march april june july august september "
		  "october november december "
		  "medicare medicaid parkinson alzheimer crohn hodgkin hashimoto graves addison cushing marfan down "
		  "turner huntington sjogren "
		  "raynaud bell guillain barre kawasaki wilson paget barrett meniere tourette asperger hiv aids covid "
		  "mri ct ecg ekg eeg icu "
		  "ed er or copd chf cad htn dm ms als ptsd adhd ocd gerd ibs ibd uti dvt pe afib nsaid ssri ace tnf "
		  "bmi ivf fda cdc who nih "
		  "following given considering regarding according after before during since until while because "
		  "despite rec tx hx dx rx sx mgmt "
		  "looking need needs need suggest provide explain describe compare update findings outcome outcomes "
		  "evaluation impact role "
		  "effect effects efficacy safety approach options option strategies strategy advice plan approach "
		  "risk risks consult "
		  "dear hi hello thanks thank regards sincerely my our your his her their its re subject date"},
};

unsigned word_kinds_known(word_hash h)
{
	for (size_t at = (h >> 40) & (SLOTS - 1); slots[at].hash; at = (at + 1) & (SLOTS - 1))
		if (slots[at].hash == h)
			return slots[at].kinds;
	return 0;
}

unsigned word_kinds_of(const uint8_t *s, size_t n)
{
	word_hash h = 0;
	for (size_t i = 0; i < n; i++)
		if (is_alpha(s[i]))
			h = word_hash_add(h, lower(s[i]));
	return word_kinds(h);
}

uint64_t word_bits[1 << (WORD_BITS - 6)];

uint64_t label_ends[1 << (WORD_BITS - 6)];

static void add_label_ends(const char *word, size_t letters)
{
	for (size_t i = 0; i < letters; i++) {
		word_hash h = word_hash_of((const uint8_t *)word + i, letters - i);
		label_ends[h >> (70 - WORD_BITS)] |= 1ull << (h >> (64 - WORD_BITS) & 63);
	}
}

/* A label may be written as two or three words, of which the last one, of two letters at least, is looked at. */
static void add_small(const char *word, size_t letters, unsigned kinds)
{
	for (size_t i = 0; i == 0 || (i + 2 <= letters && kinds & WORD_LABELS); i++) {
		small_add(&small_words[REDACT_LOG], word + i, letters - i);
		small_add(&small_words[REDACT_CLINICAL], word + i, letters - i);
	}
}

static void add(word_hash h, unsigned kinds)
{
	word_bits[h >> (70 - WORD_BITS)] |= 1ull << (h >> (64 - WORD_BITS) & 63);
	size_t at = (h >> 40) & (SLOTS - 1);
	while (slots[at].hash && slots[at].hash != h)
		at = (at + 1) & (SLOTS - 1);
	slots[at].hash = h;
	slots[at].kinds |= kinds;
}

/* Before main, once: afterwards the table is only read, from any thread. */
__attribute__((constructor)) static void fill(void)
{
	size_t count = 0;
	word_powers[0] = 1;
	for (size_t i = 1; i < WORD_POWERS; i++)
		word_powers[i] = word_powers[i - 1] * WORD_HASH_STEP;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
		word_hash h = 0;
		const char *word = lists[i].words;
		for (const char *p = word;; p++) {
			if (*p && *p != ' ') {
				h = word_hash_add(h, (uint8_t)*p);
				continue;
			}
			if (h) {
				add(h, lists[i].kinds);
				count++;
				if (lists[i].kinds & WORD_LABELS)
					add_label_ends(word, (size_t)(p - word));
				if (lists[i].kinds & WORD_SMALL)
					add_small(word, (size_t)(p - word), lists[i].kinds);
			}
			h = 0;
			word = p + 1;
			if (!*p)
				break;
		}
	}
	assert(count < SLOTS / 2);
}
