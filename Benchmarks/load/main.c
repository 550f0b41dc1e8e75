// The load generator of the benchmarks: one thread, one epoll loop, one subcommand per kind of load.
//
// How it talks with the runner (standard input and output, one line each):
//
//   raw mode only   out: backend PORT      the generator listens there; the forwarder under test connects to it
//                   in:  peer PORT         where the forwarder listens
//   always          out: ready {...}       everything is connected and warmed up
//                   in:  go                begin the measured phase
//                   out: result {...}      the measured phase is over; all connections are still open
//                   in:  (end of file)     leave
//
// So the runner can read the relay's counters at two moments at which nothing moves. With standard input from
// /dev/null the generator starts at once and leaves when it is done, which is handy by hand.
//
// Any surprise (a wrong byte, a closed connection, a deadline) ends the program with status 1 and a reason.

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "basics.h"
#include "bulk.h"
#include "http.h"
#include "idle.h"
#include "json.h"
#include "loop.h"
#include "options.h"
#include "pingpong.h"
#include "stalled.h"

int main(int count, char **words) {
    parse_options(count, words);
    alarm(900);                         // whatever happens, nothing stays behind
    signal(SIGPIPE, SIG_IGN);

    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!strcmp(option.suite, "tunnel-input")) prepare_input_message();
    else prepare_message();
    prepare_bulk();
    open_loop();

    if (!strcmp(option.suite, "tunnel-pingpong") || !strcmp(option.suite, "tunnel-input")) run_pingpong();
    else if (!strcmp(option.suite, "tunnel-bulk")) run_bulk();
    else if (!strcmp(option.suite, "json-unicast") || !strcmp(option.suite, "json-fanin")) run_json();
    else if (!strcmp(option.suite, "http-list")) run_http();
    else if (!strcmp(option.suite, "idle")) run_idle();
    else if (!strcmp(option.suite, "stalled")) run_stalled();
    else fail("unknown subcommand %s\n%s", option.suite, usage);
    return 0;
}
