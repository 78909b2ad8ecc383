/* ftp.h - the other side of FTP (RFC 959, RFC 2428): a server for one file, and a client. */
#ifndef PORTSHIM_TESTS_FTP_H
#define PORTSHIM_TESTS_FTP_H

#include <stdbool.h>

#define FTP_WORDS "hello there\n" /* what the file holds */

struct ftp_seen {
	int control; /* the port that the client's first connection came from */
	int data;    /* the client's port of the data connection */
	bool active; /* the client listened for it */
};

/* Serves the next client until it says QUIT or hangs up. */
struct ftp_seen ftp_serve(int listener);

/* A client's session: logs in to 127.0.0.1 as anonymous, fetches "file" both ways and compares it, and leaves. */
struct ftp_server_seen {
	int active;  /* the server's port of the data connection that it made */
	int passive; /* the port on which it listened for one */
};

struct ftp_server_seen ftp_fetch(int port);

#endif
