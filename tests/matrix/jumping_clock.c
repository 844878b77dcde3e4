/* A wall clock that jumps by hours, forth and back, with each look at it.
 *
 * Loaded before libc (LD_PRELOAD); the monotonic clock is left alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>

static long jump(void)
{
    static const long hours[] = {0, 5, -7, 1000, -2000, 3};
    static unsigned looks;
    return 3600 * hours[looks++ % 6];
}

int clock_gettime(clockid_t id, struct timespec *now)
{
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        now->tv_sec += jump();
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec at;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &at);
    now->tv_sec = at.tv_sec;
    now->tv_usec = at.tv_nsec / 1000;
    return result;
}

time_t time(time_t *kept)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if (kept != NULL)
        *kept = at.tv_sec;
    return at.tv_sec;
}
