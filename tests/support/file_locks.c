/* Preloaded into a process, this gives it a file system with other locks, or another machine's name.
 *
 * FLOCK=none   flock fails, as on Lustre that is mounted without -o flock
 * FLOCK=local  flock always succeeds, as if each process ran on a machine of its own
 * HOSTNAME_SHOWN=name   the name of the machine
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int flock(int file, int operation)
{
    const char *kind = getenv("FLOCK");
    if (kind && strcmp(kind, "none") == 0) {
        errno = ENOSYS;
        return -1;
    }
    return 0;
}

int gethostname(char *name, size_t length)
{
    const char *shown = getenv("HOSTNAME_SHOWN");
    strncpy(name, shown ? shown : "node1", length);
    return 0;
}
