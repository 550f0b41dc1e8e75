#include "stalled.h"

#include <stdlib.h>
#include <sys/epoll.h>

#include "basics.h"
#include "loop.h"
#include "options.h"
#include "pairs.h"
#include "pingpong.h"
#include "results.h"

// Pair 0 writes to somebody who never reads; pair 1 plays on. The writer has stalled when nothing was taken for a
// second; the other pair then goes on for another second, to be seen unharmed.
void run_stalled(void) {
    if (option.bytes > 64u << 20) option.bytes = 64u << 20;
    option.pairs = 2;
    open_all_pairs();
    pingpong(1, 1, option.warmup);
    run_until_finished();
    ready("pairs", 2);
    begin_measuring();

    struct endpoint *writer = &pairs[0].guest, *reader = &pairs[0].host;
    watch(reader, 0, EPOLL_CTL_DEL);
    phase.bytes = 0;
    writer->count = 0;
    writer->kind = kind_stuck_writer;
    watch(writer, EPOLLOUT, EPOLL_CTL_MOD);
    pingpong(1, 1, UINT64_MAX);

    double progress = now(), stalled_at = 0, end = progress + (double)option.max_seconds, last = progress, longest = 0;
    uint64_t accepted = 0, messages = 0, before_stall = 0;
    while (phase.unfinished) {
        turn(100);
        double t = now();
        if (phase.messages != messages) {
            if (t - last > longest) longest = t - last;
            messages = phase.messages;
            last = t;
        }
        if (writer->count != accepted) {
            accepted = writer->count;
            progress = t;
        }
        if (!stalled_at && (t - progress > 1 || accepted == option.bytes || phase.writer_closed)) {
            stalled_at = t;
            before_stall = phase.messages;
        }
        if (stalled_at && t > stalled_at + 1) phase.stopping = true;
        if (t > end) fail("the other pair stopped, or the writer never stalled");
        if (phase.word == word_end && runner_speaks) exit(0);
    }
    print_result(", \"accepted\": %llu, \"messages_after_stall\": %llu, \"longest_gap_seconds\": %.6f, \"writer_closed\": %s",
        (unsigned long long)accepted, (unsigned long long)(phase.messages - before_stall), longest, phase.writer_closed ? "true" : "false");
    // The writer stays unwatched from here on: it would only wake the loop.
    if (!phase.writer_closed) watch(writer, 0, EPOLL_CTL_DEL);
    hold();
}
