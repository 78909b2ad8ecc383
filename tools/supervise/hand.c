/* hand.c - taking turns with sockets, and remembering them. */
#include "tools/supervise/hand.h"

#include <pthread.h>
#include <stddef.h>

#define REMEMBERED 65536

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t given_back = PTHREAD_COND_INITIALIZER;
static struct hand *hands;
static struct {
	uint64_t cookie;
	uint32_t entry;
	struct hand_kind kind;
} memory[REMEMBERED];

static struct hand **hand_of(uint64_t cookie)
{
	struct hand **at = &hands;

	while (*at && (*at)->cookie != cookie)
		at = &(*at)->next;
	return at;
}

void hand_take(struct hand *hand, uint64_t cookie)
{
	pthread_mutex_lock(&lock);
	while (*hand_of(cookie))
		pthread_cond_wait(&given_back, &lock);
	hand->cookie = cookie;
	hand->entry = 0;
	hand->kind = (struct hand_kind){ .known = false };
	if (memory[cookie % REMEMBERED].cookie == cookie) {
		hand->entry = memory[cookie % REMEMBERED].entry;
		hand->kind = memory[cookie % REMEMBERED].kind;
	}
	hand->next = hands;
	hands = hand;
	pthread_mutex_unlock(&lock);
}

void hand_give_back(struct hand *hand)
{
	pthread_mutex_lock(&lock);
	*hand_of(hand->cookie) = hand->next;
	memory[hand->cookie % REMEMBERED].cookie = hand->cookie;
	memory[hand->cookie % REMEMBERED].entry = hand->entry;
	memory[hand->cookie % REMEMBERED].kind = hand->kind;
	pthread_cond_broadcast(&given_back);
	pthread_mutex_unlock(&lock);
}
