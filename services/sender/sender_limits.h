/* Bounds of the sender: what it holds, reads and does at once. */
#ifndef WA_SENDER_SENDER_LIMITS_H
#define WA_SENDER_SENDER_LIMITS_H

#define MAX_MESSAGES_HELD      100000 /* in memory, of all conversations */
#define MAX_MESSAGES_OF_ONE    64     /* of one conversation */
#define MAX_WINDOW             8192   /* of one session, at its gateway at once */
#define MAX_CONVERSATIONS_READ 500    /* with a page of a partition */
#define MAX_MESSAGES_READ      16     /* of each */
#define MAX_REREAD             200    /* conversations with one query */
#define MAX_ROWS_CHANGED       500    /* by one statement that schedules or expires */
#define MAX_DISPATCH_A_TURN    1000
#define MAX_TIMERS_A_TURN      2000

#endif
