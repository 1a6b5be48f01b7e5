/* controller/knowledge/embed.c: the shipped model, and the examples that come with the program, as bytes of it, so that
 * they are there whatever is installed. */
#define EMBED(symbol, file)                                                                                            \
	__asm__(".section .rodata\n"                                                                                   \
		".global " symbol "\n"                                                                                 \
		".global " symbol "_end\n" symbol ":\n"                                                                \
		".incbin \"" file "\"\n" symbol "_end:\n"                                                              \
		".byte 0\n"                                                                                            \
		".previous\n")
EMBED("kedge_error_model", KEDGE_ERROR_MODEL);
EMBED("kedge_error_examples", KEDGE_ERROR_EXAMPLES);
EMBED("kedge_cause_calibration", KEDGE_CAUSE_CALIBRATION);
typedef int not_empty; /* a file must declare something */
