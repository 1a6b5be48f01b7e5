/* Where somebody is, in numbers: 40.741895,-73.989308; 51.5074° N, 0.1278° W; 48°51′29″N 2°17′40″E; lat=47.6205. */
#include "shared/redact/lexicon.h"

enum {
	DECIMALS_LEAST = 4,          /* of a bare pair: ten metres; fewer are a measurement */
	DECIMALS_LEAST_LABELLED = 2, /* about a kilometre */
};

struct angle {
	size_t end, decimals;
	bool degrees;    /* a degree sign */
	bool hemisphere; /* N, S, E, W behind it */
};

static size_t digits_end(const struct scan *s, size_t at, size_t most)
{
	size_t end = at;
	while (end - at < most && is_digit(byte_at(s, end)))
		end++;
	return end;
}

/* Bytes of one of the marks for degrees, minutes and seconds at `at`, or 0. */
static size_t angle_mark(const struct scan *s, size_t at, bool *ret_degrees)
{
	uint8_t a = byte_at(s, at), b = byte_at(s, at + 1), c = byte_at(s, at + 2);
	if (a == 0xc2 && (b == 0xb0 || b == 0xba)) {
		*ret_degrees = true;
		return 2;
	}
	if (a == 0xe2 && b == 0x80 && (c == 0xb2 || c == 0xb3 || c == 0x99 || c == 0x9d))
		return 3;
	return *ret_degrees && (a == '\'' || a == '"') ? 1 : 0;
}

static struct angle angle_at(const struct scan *s, size_t at)
{
	struct angle g = {0};
	at += byte_at(s, at) == '-';
	size_t end = digits_end(s, at, 3);
	if (end == at || is_digit(byte_at(s, end)))
		return g;
	for (int part = 0; part < 3; part++) { /* degrees, minutes, seconds */
		if (byte_at(s, end) == '.' && is_digit(byte_at(s, end + 1))) {
			size_t stop = digits_end(s, end + 1, 16);
			g.decimals = stop - end - 1;
			end = stop;
		}
		size_t mark = angle_mark(s, skip_spaces(s, end), &g.degrees);
		if (!mark)
			break;
		end = skip_spaces(s, end) + mark;
		size_t next = skip_spaces(s, end), stop = digits_end(s, next, 2);
		if (stop == next)
			break;
		end = stop;
	}
	size_t letter = skip_spaces(s, end);
	uint8_t b = byte_at(s, letter);
	if (b && strchr("NSEWO", b) && !word_byte(byte_at(s, letter + 1))) {
		g.hemisphere = true;
		end = letter + 1;
	}
	g.end = word_byte(byte_at(s, end)) && byte_at(s, end) < 0x80 ? 0 : end;
	return g;
}

size_t match_coordinates(const struct scan *s, size_t at)
{
	struct angle first = angle_at(s, at);
	if (!first.end)
		return 0;
	bool labelled = lexicon_exact(recent_hash(s, 0)) & LEX_TO_ANGLE;
	size_t next = first.end;
	next = skip_spaces(s, next + (byte_at(s, next) == ',' || byte_at(s, next) == ';' || byte_at(s, next) == '/'));
	struct angle second = next > first.end || first.hemisphere ? angle_at(s, next) : (struct angle){0};
	if (second.end && first.hemisphere && second.hemisphere && (first.degrees || first.decimals))
		return second.end;
	if (second.end && !first.hemisphere && first.decimals >= DECIMALS_LEAST && second.decimals >= DECIMALS_LEAST)
		return second.end;
	if (first.hemisphere && first.degrees)
		return first.end;
	size_t letters = s->words[0].letters; /* "N" and "long" say other things as well */
	size_t least = letters == 1 || letters == 4 ? DECIMALS_LEAST : DECIMALS_LEAST_LABELLED;
	return labelled && first.decimals >= least ? first.end : 0;
}
