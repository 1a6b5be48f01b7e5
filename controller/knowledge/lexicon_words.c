/* controller/knowledge/lexicon_words.c: phrases of the field, each with the class that it speaks for and how surely.
 *
 * Written by hand, from the texts and names of the standards that programs quote when they fail: errno (POSIX.1), the
 * status codes of HTTP (RFC 9110) and gRPC, SQLSTATE's classes, DNS response codes (RFC 1035), TLS alerts (RFC 8446),
 * signals, and the exceptions of the common languages.  How a phrase is written: lexicon.c. */
#include "controller/knowledge/lexicon_words.h"

/* clang-format off: a list of words */
const struct lexicon_group lexicon_groups[] = {
    {CLASS_ALREADY_EXISTS, 3,
	"already exist*|file exists|already registered|already defined|already taken|already present|already added|"
	"already in use by|duplicate name|duplicate key|duplicate entry|duplicate column|duplicate object|"
	"duplicate table|eexist|name conflict|duplicate alias|duplicate schema|duplicate database|duplicate file|"
	"duplicate prepared"},
    {CLASS_ALREADY_EXISTS, 2,
	"duplicate*|specified more than once|appears more than once|used more than once|appears multiple times|"
	"defined more than once|already a member|already member|already used|already contains|already has|already is|"
	"already assigned|already created|already installed|already up to date|name ~ taken|same name|"
	"already redirect*|similar ~ exist*|already mapped|already bound|already listed"},
    {CLASS_ALREADY_EXISTS, 1, "already|twice|redefin*|more than once"},
    {CLASS_AUTH, 3,
	"must have ~ privilege|must be a superuser|must be a member of|must be member of|security restricted operation|"
	"security definer|rejects connection|rejects replication connection|no ~ entry for host|channel binding|"
	"certificate verification failed|token bound|expired certificate|certificate has expired|certificate expired|"
	"peer ~ not authorized|not in allow list|deny policy|allow policy|permission denied|access denied|"
	"access is denied|not authorized|not authorised|unauthorized|unauthorised|unauthenticated|forbidden|401|403|"
	"eacces|eperm|operation not permitted|authentication failed|authentication failure|must be owner|"
	"must be superuser|only superuser*|insufficient privilege*|invalid credential*|bad credential*|wrong password|"
	"invalid password|incorrect password|password authentication|login failed|invalid token|invalid authorization|"
	"invalid api key|no permission*|lacks permission*|lack permission*|permissiondenied|pam|row level security|"
	"42501|28000|28p01|not authenticated|invalid signature|requires authentication|authentication required|"
	"authorization required|unknown ca|bad certificate|certificate verify failed|untrusted|ebadauth|"
	"refused by policy|denied by policy|rbac|security label|noauth|wrongpass|noperm|sasl authentication"},
    {CLASS_AUTH, 2,
	"permission*|privilege*|credential*|not allowed to|is not allowed ~ to|not an allowed|denied|unauthor*|"
	"authoriz*|authoris*|authenticat*|password*|is banned|must be member|must have ~ privilege*|must have ~ role|"
	"must have ~ option|only roles|only ~ may|only owner*|owner of|superuser|allow list|allowlist|not trusted|"
	"audience|token expired|token ~ expired|expired token|caller identity|caller does not|not permitted|"
	"access token|bearer|jwt|impersonat*|attest*|insecure connection|signing method|challenge|peer certificate|"
	"client certificate|not in the allowed|ip ~ not allowed|role % does not exist|role with ~ does not exist|"
	"user % does not exist|account ~ locked|account ~ disabled|does not have access|no access|disallowed ~ user|"
	"request ~ denied|security polic*|disabled on this"},
    {CLASS_AUTH, 1,
	"token|login|secret|role|acl|policy|user|identity|signature|trust|allowed|caller|grant*|owner|account|session"},
    {CLASS_CONFLICT, 3,
	"concurrent delete|due to conflict|conflict with|serialize access|could not lock|lock ~ is not available|"
	"lock ~ not available|someone else|somebody else|version mismatch|stale state|already moved|was ~ modified|"
	"changed since|changed during|has changed|could not serialize|can not serialize|serialization failure|"
	"deadlock*|concurrent update*|concurrent modification|concurrently modified|modified concurrently|"
	"write conflict|lock not available|could not obtain lock|lock timeout|optimistic lock*|version conflict|"
	"resource version|409|40001|40p01|55p03|transaction aborted|transaction ~ aborted|aborted due to|edeadlk|"
	"try the transaction again|retry transaction|restart transaction|update conflict|edit conflict|"
	"object has been modified|compare ~ failed|cas failed|precondition failed on|ownership lost|not the owner|"
	"lost ownership|etag|simultaneous*|race condition|lost the race|conflicting update|conflicting operation*|"
	"operation already in progress|operation ~ already exists ~ for|another operation|stale read"},
    {CLASS_CONFLICT, 2,
	"conflict*|concurrent*|contention|aborted|preempt*|lock ~ held|held by another|locked by|being modified|"
	"being deleted|being used by another|changed ~ concurrently|another transaction|another process|"
	"another request|in progress|pending operation|leader changed|ownership|lost leadership|lost lease|fenced|"
	"stale|reread|retry ~ operation"},
    {CLASS_CONFLICT, 1, "lock*|retry*|race|transaction|owner*|lease|abort*|generation|revision"},
    {CLASS_INTEGRITY, 3,
	"violates|violated by|integrity constraint|unique constraint|foreign key constraint|"
	"check constraint ~ violated|not null constraint|null value in|constraint violation|23505|23503|23502|23514|"
	"contains null values|would violate|not allow null values|referential integrity|"
	"can not delete or update a parent row|can not add or update a child row|integrity violation|"
	"exclusion constraint|duplicate key value|constraint failed"},
    {CLASS_INTEGRITY, 2,
	"constraint ~ is violated|violat*|could not create unique index|still referenced from|referenced by|"
	"violat* ~ constraint|foreign key|no partition of relation|contains values that|contains rows|"
	"is not present in table"},
    {CLASS_INTEGRITY, 1, "constraint*|unique|null values|rows"},
    {CLASS_INTERNAL, 3,
	"internal error|internal server error|unexpected error|should not happen|should never happen|impossible|"
	"this is a bug|a bug|assertion fail*|panic*|segmentation fault|segfault|sigsegv|sigabrt|nil pointer|"
	"null pointer|nullpointerexception|stack trace|corrupt*|checksum mismatch|checksum error|data loss|core dumped|"
	"invariant|xx000|xx001|xx002|500|unreachable code|unhandled exception|eio|input output error|i o error|"
	"bad magic|crc mismatch|bus error|double free|invalid page"},
    {CLASS_INTERNAL, 2,
	"unexpected ~ result|nil|^unexpected|is not of type|does not implement|in struct|unknown ~ type|encountered|"
	"failed to deserialize|error deserializ*|error serializ*|serializ*|deserializ*|unexpected*|failed to ~ : %$|"
	"could not ~ : %$|unable to ~ : %$|can not ~ : %$|failed to marshal|failed to unmarshal|failed to serialize|"
	"failed to encode|failed to convert|failed to create|failed to get|failed to update|failed to parse|"
	"failed to list|failed to add|failed to read|failed to write|failed to open|failed to build|failed to generate|"
	"failed to initialize|failed to apply|failed to load|failed to delete|failed to remove|failed to set|"
	"failed to start|failed to fetch|failed to check|failed to find|failed to mount|failed to unmount|"
	"failed to sign|failed to query|failed to store|failed to save|unable to get|unable to create|unable to read|"
	"unable to find|could not get|could not create|could not read|could not write|could not open|could not remove|"
	"could not generate|could not initialize|cast failed|is nil|nil response|response is nil|missing from context|"
	"from context|multiple times|marshal*|unmarshal*|mismatch in|damaged|broken|wrong ~ page|"
	"does not match ~ expected|inconsisten*|failed with error|failed with|invalid state|unknown mode|"
	"malformed ~ response|returned ~ invalid|^error"},
    {CLASS_INTERNAL, 1,
	"failed|failure|fail|error|unable|could not|unknown|null|bug|mismatch|wrong|found|context|response|bad|resize|"
	"block|index|tuple|page"},
    {CLASS_INVALID, 3,
	"^invalid|^an invalid|is set on request|exceeds length limit|page token|not well formed|must be unique|"
	"must be greater than or equal|must all|wildcard|required for|can not specify both|must be a valid|"
	"is not a valid|has invalid format|failed to parse|unable to parse|could not parse|failed to decode|"
	"missing ~ from|unknown ~ type : %|format is not|unknown format code|incorrect number of|does not accept|"
	"malformed|invalid argument*|invalid parameter*|invalid value*|invalid input|invalid request|invalid option*|"
	"invalid format|invalid name|invalid syntax|syntax error|bad request|400|422|malformed*|must be provided|"
	"must be specified|must be set|must specify|must provide|must not be empty|must not be null|"
	"must not be negative|can not be empty|can not be negative|can not be null|can not be nil|can not be zero|"
	"can not be blank|must be positive|must be greater|must be less|must be between|must be at least|"
	"must be at most|must be one of|must be a|must be an|must be in|must be valid|must contain|must have|"
	"must match|must start|must end|must return|must not|may not be empty|should not be empty|is required|"
	"are required|required field|required parameter*|missing required|is empty|was empty|is missing|are missing|"
	"not provided|is not provided|not specified|not set on request|is not set|is mandatory|missing in request|"
	"missing in the request|einval|out of range|not a valid|is not valid|is invalid|not valid|wrong number of|"
	"invalid length|type mismatch|22023|22p02|42601|42804|unrecognized|unrecognised|unexpected token|"
	"expected ~ got|expected ~ found|exceeds limit|length exceeds|exceeds maximum length|exceeds maximum allowed|"
	"too long|illegal|erange|edom|enametoolong|mutually exclusive|ambiguous|does not return|should return|"
	"can not specify|can not have both|conflicting or redundant|division by zero|divide by zero|value too long|"
	"numeric value|datetime field|array subscript*|invalid escape|invalid byte sequence|invalid regular expression|"
	"negative|non negative|not a number|must all be|only one of|at least one|exactly one|one and only one|"
	"wrong type|can not be cast|can not coerce|can not cast|could not determine|in the wrong format|bad format|"
	"no such option|unknown option|unknown parameter|unknown field"},
    {CLASS_INVALID, 2,
	"invalid*|parse*|parsing|missing|empty|required|must|bad|incorrect|improper|wellformed|unknown|can not use|"
	"can not contain|can not include|can not have|request is nil|is nil|not an integer|not a|should be|should have|"
	"exceeds|exceed|larger than|smaller than|greater than|less than|too large|too small|too many|too short|too few|"
	"not supported for|unsupported ~ type|unsupported ~ policy|unable to decode|validation|validate|provide*|"
	"specif*|type of|declared|arguments of|decode*|not enough|overflow*|underflow*|only|not match*|does not match|"
	"can not be used|format of|unterminated|reserved|length|duplicate parameter|need to specify|need to|"
	"not defined|clause|literal|prefix|option % not|data type"},
    {CLASS_INVALID, 1,
	"argument*|parameter*|option*|request|type|value|name|field|string|character*|input|format|config*|attribute*|"
	"column*|size|syntax|data|payload"},
    {CLASS_NOT_FOUND, 3,
	"there is no|could not identify|lookup failed for|has disappeared|is not yet defined|not yet defined|"
	"no relationship|no ~ found|no ~ available for type|no ~ exists|not find|not found|notfound|no such|"
	"does not exist|do not exist|did not exist|404|enoent|esrch|enxio|enodev|can not find|could not find|"
	"unable to find|failed to find|unknown service|unknown host|nxdomain|undefined table|undefined column|"
	"undefined function|42p01|42703|42704|42883|3d000|undefined object|no match*|nothing found|no longer exist*|"
	"no longer valid|has been deleted|was deleted|was removed|no route|name or service not known|is not registered|"
	"not registered|is unknown|non existent|nonexistent|no entry|no record|no key|no rows|no data found|no object|"
	"class not found|classnotfound*|module not found|modulenotfound*|filenotfound*|key error|keyerror|"
	"is not defined|file not found|command not found|gone|410|no active|no bundle|no function matches|"
	"no operator matches|missing from clause|not be found|not exist"},
    {CLASS_NOT_FOUND, 2,
	"not present|nothing ~ to|unknown %|missing %|not available in|not located|lookup failed|lookup fail*|"
	"not known|unresolved|no ~ with|has no|no ~ for|none of|already expired|already completed|already closed|"
	"expired|not on|to find|was not ~ found|undefined"},
    {CLASS_NOT_FOUND, 1, "find|found|exist*|unknown|no|missing|absent|lookup|path"},
    {CLASS_RESOURCE, 3,
	"number of ~ exceeds|out of ~ slots|all ~ slots are in use|can not have more than|insufficient ~ available|"
	"can have at most|is limited to|not enough elements|maximum ~ exceeded|too complex|target is too long|"
	"total size of ~ exceeds|size % exceeds|exceeds ~ maximum|exceeds the maximum|too many ~ in use|no space|"
	"low space|no slot available|limit on|wraparound|at capacity|capacity exceeded|out of memory|can not allocate|"
	"could not allocate|memory allocation|no space left|disk full|disk is full|quota exceeded|exceeded quota|quota|"
	"too many open|too many connections|too many clients|too many requests|too many processes|429|rate limit*|"
	"ratelimit*|throttl*|resource exhausted|resourceexhausted|resource limit|enomem|enospc|emfile|enfile|edquot|"
	"enobufs|eagain|outofmemory*|oom|oomkilled|out of shared memory|out of disk|out of inodes|no slot*|"
	"no more slots|connection slots|insufficient memory|insufficient resources|insufficient storage|"
	"insufficient capacity|not enough memory|not enough space|not enough resources|not enough disk|limit exceeded|"
	"limit reached|limit has been reached|limit was reached|exceeded ~ limit|exceeds ~ capacity|maximum capacity|"
	"larger than max*|too large ~ bytes|message too large|message too big|request too large|413|payload too large|"
	"stack depth limit|stack overflow|53100|53200|53300|54000|54001|53400|out of dynamic|"
	"resource temporarily unavailable|pool exhausted|exhausted|backlog full|queue is full|queue full|buffer full|"
	"enospace|507|storage full|nearly full|file too large|efbig|burst size|overloaded|pool ~ exhausted|no free|"
	"no available ~ slot*|heap space|gc overhead|memory limit|cpu limit|budget"},
    {CLASS_RESOURCE, 2,
	"maximum number of|max number of|maximum of|can not use more than|can not pass more than|at most %|"
	"exceeds maximum|exceeded maximum|maximum ~ reached|too big|too many ~ specified|too many arguments|"
	"too many columns|too many ~ present|must have fewer than|row is too big|is too big|is too large|file length|"
	"index row size|capacity|no room|out of|insufficient|more than %|fewer than|max ~ exceeded|exceed* ~ max*|"
	"limit of|limit ~ %|surpass*|low on|running out"},
    {CLASS_RESOURCE, 1,
	"memory|disk|space|limit*|maximum|max|exceed*|too many|too large|full|size|slot*|allocate*|larger"},
    {CLASS_STATE, 3,
	"must not be called|must be called|can not be executed within|can not be executed from|can not run inside|"
	"without restarting|is in progress|is not in progress|is active for|is already active|is not active|"
	"was not loaded|not loaded|is restricted|requires a ~ connection|only be called|in its current state|"
	"in state %|current state|is not up to date|completion state|must be first|must be stopped|must be running|"
	"pending ~ exist|not sufficient for|prerequisite|failed precondition|precondition failed|precondition*|412|"
	"not in a state|invalid state for|illegal state|illegalstateexception|invalid transition|not initialized|"
	"not initialised|not been initialized|has not been initialized|not yet initialized|uninitialized|"
	"not configured|is not configured|not started|not running|is not running|not ready|is not ready|not open|"
	"not active|is disabled|is not enabled|not enabled|already running|already started|already stopped|"
	"already paused|already closed|already active|already in progress|already completed|already finished|"
	"object in use|being accessed|is being used|device or resource busy|ebusy|etxtbsy|text file busy|enotempty|"
	"directory not empty|not empty|non empty|read only|readonly|erofs|in recovery|during recovery|"
	"within a transaction|inside a transaction|no transaction|transaction is already|"
	"current transaction is aborted|transaction block|subtransaction*|not prerequisite|object not in prerequisite|"
	"55000|25001|25p02|25006|25000|still in use|still used|still referenced|still has|in use by|must be in ~ state|"
	"wrong state|not locked|is locked|not mounted|already mounted|not attached|not connected|enotconn|eisconn|"
	"closed for|can not be called|called before|called after|not been loaded|is stopped|stopped|is paused|paused|"
	"suspended|frozen|locked|not primary|not leader|not the leader|not a replica|no leader|maintenance mode|"
	"in maintenance|out of sync|not supported in state|has pending|pending ~|is busy|not allowed while|while ~ is|"
	"can not ~ while|can not ~ because|can not ~ during|before ~ can|until|must be loaded|not expecting"},
    {CLASS_STATE, 2,
	"busy|in use|being used|state|not currently|currently|not been|not yet|yet|already|no longer|pending|active|"
	"enabled|disabled|initialized|associated with|must first|must be ~ before|first|refusing|reject*|"
	"can not delete|can not drop|can not remove|can not detach|can not update|can not change|can not perform|"
	"can not execute|can not run|can not commit|can not start|can not proceed|is required|depends on|"
	"dependent objects|cursor|savepoint|not owned|does not belong|not associated|is not a|is not an|not applicable|"
	"must be enabled|requires ~ to be|too short|transition|breaks requirement|would break|would exceed|"
	"multiple ~ found|conflict token|can not export|can not insert into|deleted while|closed|shut down|shutdown"},
    {CLASS_STATE, 1, "while|during|because|before|after|still|ready|running|started|closing|mode|belong|within|inside"},
    {CLASS_TIMEOUT_CANCEL, 3,
	"timed out|timeout|time out|timeouts|deadline exceeded|deadlineexceeded|context deadline|etimedout|408|504|"
	"gateway timeout|canceled|cancelled|canceling|cancelling|cancellation|context canceled|interrupted|eintr|"
	"ecanceled|57014|user request|took too long|took longer|exceeded time|time limit|time exceeded|expired before|"
	"wait* ~ too long|sockettimeout*|readtimeout*|timeoutexception|timeouterror|no response within|"
	"operation was aborted|query canceled|gave up|max poll attempts|request canceled"},
    {CLASS_TIMEOUT_CANCEL, 2,
	"deadline|waiting for|cancel*|too slow|did not respond|not respond|within ~ seconds|within ~ ms|is closing|"
	"has ended|interrupt*|slow|stopped waiting|attempts"},
    {CLASS_TIMEOUT_CANCEL, 1, "wait*|stopped|closing|time|ended|poll"},
    {CLASS_UNAVAILABLE, 3,
	"administrator command|not yet accepting|is not accepting connections|not healthy|unhealthy|please retry|"
	"retry later|ssl connection|connection was|connection has been|connection to ~ lost|streaming|"
	"could not receive data|could not send data|could not fetch|could not establish|upstream|failed to reach|"
	"gateway|no server|server not|node is down|broker ~ not available|network is|message type|message ~ order|"
	"startup packet|unavailable|503|502|connection refused|connection reset|connection closed|connection lost|"
	"connection failure|connection failed|connection error|connection aborted|connection timed|connection not|"
	"connection does not exist|lost connection|broken pipe|epipe|econnrefused|econnreset|econnaborted|ehostunreach|"
	"enetunreach|enetdown|ehostdown|host is down|no route to host|network is unreachable|network unreachable|"
	"host unreachable|unreachable|bad gateway|service unavailable|server is not available|temporarily unavailable|"
	"not reachable|shutting down|shut down|starting up|is starting|server is initializing|draining|goaway|"
	"server closed|closed the connection|connection to server|could not connect|can not connect|failed to connect|"
	"unable to connect|failed to dial|dial tcp|could not resolve|failed to resolve|host not found|name resolution|"
	"temporary failure|servfail|socket|ssl error|tls handshake|handshake failed|handshake failure|"
	"protocol violation|protocol error|connection terminated|terminating connection|admin shutdown|crash shutdown|"
	"can not connect now|08006|08001|08p01|57p01|57p03|no healthy upstream|upstream connect|no backend*|"
	"no available server*|no servers|transport is closing|transport closed|eof|unexpected eof|reset by peer|"
	"peer closed|endpoint ~ not available|network error|communication link failure|communications link failure|"
	"not available|no longer available|service is down|offline|server down|remote end closed|max retries"},
    {CLASS_UNAVAILABLE, 2,
	"connection*|connect*|network*|transport|server is|unreachable*|backend|publisher|primary|standby|replica|"
	"stream|endpoint|operation failed|protocol|insufficient data|from client|from server|ssl|tls|remote|"
	"try again later|try again|dial|not serving|failed over|message format|query failed|execute ~ query|"
	"failed to ~ rows|select ~ failed|rows affected"},
    {CLASS_UNAVAILABLE, 1, "server|client|fetch|rpc|port|host|peer|message|send|receive*|retry|down|wire"},
    {CLASS_UNSUPPORTED, 3,
	"can not be renamed|only available using|is only supported|only supported|not available using|not deferrable|"
	"can not ~ concurrently|can not be used with|can not be used in|not supported by|feature ~ disabled|"
	"api is disabled|is not available in this build|not compiled in|not supported|unsupported|not implemented|"
	"unimplemented|not yet supported|not yet implemented|is not supported|are not supported|does not support|"
	"do not support|notimplemented*|enosys|eopnotsupp|enotsup|operation not supported|function not implemented|501|"
	"405|method not allowed|415|protocol not supported|feature not supported|0a000|not available on this|"
	"not supported by this|not supported on|without support|supported only|no support|not compiled|not built with|"
	"unsupportedoperation*|notsupported*|not supported in|not possible to|afnosupport|eafnosupport|epfnosupport|"
	"eprotonosupport|unknown method|unknown command|unhandled|not allowed in|not allowed with|not allowed here|"
	"not allowed for|no handler|unknown request type|unknown function"},
    {CLASS_UNSUPPORTED, 2,
	"support*|implement*|can not be used|can not be combined|not available|not installed|is not enabled|"
	"is disabled|not allowed|can not use|can not have|can not alter|can not change|can not create|can not drop|"
	"can not be|deprecated|unknown ~ type|unknown variant|only|can not be replicated|not possible|not applicable|"
	"recursive|must be a|wrong relation kind|with ~ clause|feature"},
    {CLASS_UNSUPPORTED, 1,
	"can not|disabled|method|feature*|function*|server is not|operation|plugin|platform|version"},
    /* beyond doubt: what is said so can hardly mean anything else, whoever says it.  "Not found", "does not exist",
     * "is missing" and "not supported" are not here: they do not say whether the request or the program is at fault. */
    {CLASS_ALREADY_EXISTS, 4, "already exist*|file exists|eexist|already taken|name ~ taken|duplicate object"},
    {CLASS_AUTH, 4,
	"permission denied|must be superuser|must be owner|must be a superuser|must be member of|access denied|"
	"access is denied|not authorized|unauthorized|unauthenticated|forbidden|eacces|eperm|"
	"operation not permitted|authentication failed|authentication required|insufficient privilege*|"
	"not authenticated|only superuser*|permissiondenied|invalid token|login failed|password authentication|"
	"must be ~ superuser|denied"},
    {CLASS_CONFLICT, 4,
	"could not serialize|serialization failure|deadlock*|concurrent update*|concurrently modified|"
	"concurrent modification|modified concurrently|optimistic lock*|lock not available|could not obtain lock"},
    {CLASS_INTEGRITY, 4,
	"constraint violation|foreign key constraint fails|unique constraint ~ violated|"
	"check constraint ~ violated|violat* ~ constraint"},
    {CLASS_INTERNAL, 4,
	"corrupt*|nil pointer|null pointer|panic*|segmentation fault|segfault|core dumped|internal server error|"
	"this is a bug|should never happen|assertion fail*|xx000|xx001"},
    {CLASS_INVALID, 4,
	"is required|are required|must be provided|must be specified|must be set|not provided|is not set|"
	"is mandatory|must be positive|must be between|must be greater|must be less|must be at least|"
	"must be at most|must be one of|must be an|must be non|must match|must provide|must specify|must contain|"
	"must not be negative|must not be null|must not be empty|must not be nil|can not be nil|can not be null|"
	"can not be negative|can not be zero|can not be blank|may not be empty|should not be empty|"
	"missing required|required field|required parameter*|missing in request|missing parameter*|"
	"invalid argument*|invalid value*|invalid input|invalid parameter*|invalid request|invalid option*|"
	"invalid format|invalid syntax|invalid name|syntax error|einval|out of range|exceeds maximum length|"
	"unknown option|unknown parameter|unknown field|can not specify both|must start|must be unique|"
	"at least one|mutually exclusive|malformed request|bad request|division by zero|value too long|"
	"unterminated|must be ~ %|% must be|must be type|must be of type|wrong type|must return|exceeds length|"
	"length exceeds|number of ~ does not match|set on request|can not be empty|is not a valid|not a valid|"
	"must be a|must be valid|unrecognized|numeric value|should be"},
    {CLASS_NOT_FOUND, 4, "no such|enoent|nxdomain|no longer exist*|not be found"},
    {CLASS_RESOURCE, 4,
	"out of memory|no space left|disk full|quota exceeded|exceeded quota|too many open|too many connections|"
	"too many clients|too many requests|resource exhausted|resourceexhausted|enospc|enomem|emfile|outofmemory*|"
	"out of shared memory|insufficient memory|insufficient resources|no more slots|maximum ~ exceeded|"
	"maximum number of"},
    {CLASS_STATE, 4,
	"can not ~ during|within a transaction|not in recovery|already running|object in use|"
	"device or resource busy|ebusy|directory not empty|not initialized|failed precondition|"
	"has not been initialized|illegalstateexception|can not be executed within|transaction is aborted"},
    {CLASS_TIMEOUT_CANCEL, 4,
	"deadline exceeded|context deadline|context canceled|cancelling|etimedout|user request|operation canceled"},
    {CLASS_UNAVAILABLE, 4,
	"connection refused|connection reset|connection closed|connection lost|broken pipe|service unavailable|"
	"temporarily unavailable|server is not available|shutting down|starting up|econnrefused|econnreset|"
	"no route to host|network is unreachable|network unreachable|host unreachable|could not connect|"
	"failed to dial|server closed the connection|connection to server|ssl connection|could not receive|"
	"no healthy"},
    {CLASS_UNSUPPORTED, 4,
	"not implemented|unimplemented|not yet implemented|not yet supported|notimplemented*|unsupportedoperation*|"
	"enosys|enotsup|eopnotsupp|operation not supported|not supported by this"},
};
/* clang-format on */
const size_t lexicon_group_count = sizeof lexicon_groups / sizeof lexicon_groups[0];
