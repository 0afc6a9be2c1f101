/*
 * A TCP proxy in front of a test's PostgreSQL that loses a COMMIT: its answer, or the COMMIT itself, once and on demand; else it passes on
 * what comes. One thread; started and steered by the test's.
 */
#ifndef WALMILL_TEST_PROXY_H
#define WALMILL_TEST_PROXY_H

struct proxy;

enum proxy_cut {
	PROXY_PASS,
	PROXY_LOSE_ANSWER,   /* the COMMIT gets to the server and is done there; its connection breaks before the answer is out */
	PROXY_LOSE_COMMIT,   /* the connection breaks before the COMMIT gets to the server */
};

struct proxy *proxy_start(int server_port);
void proxy_stop(struct proxy *p);
int proxy_port(const struct proxy *p);
/* Of the next transaction in which the text mark goes by; mark lives on. */
void proxy_arm(struct proxy *p, enum proxy_cut how, const char *mark);
unsigned proxy_cuts(struct proxy *p);      /* so many were lost since the start */

#endif
