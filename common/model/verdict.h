/* How an attempt ended, for sending and for webhooks alike. */
#ifndef WA_MODEL_VERDICT_H
#define WA_MODEL_VERDICT_H

enum verdict {
	VERDICT_OK,
	VERDICT_RETRY,   /* failed for certain, and may go better later */
	VERDICT_GIVE_UP, /* failed for certain, and always will */
	VERDICT_UNKNOWN, /* may have been done: only the same id may be sent again */
};

const char *verdict_name(enum verdict verdict);

#endif
