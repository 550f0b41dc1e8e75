#include <string.h>

#include "basics.h"
#include "ldn.h"
#include "ldn_clients.h"
#include "options.h"
#include "results.h"

// One client scans again and again among many networks, while two others play: each datagram is answered at once.
enum { title = 7 };

static const double deadline = 1;   // then real clients show nothing
static struct player *scanner, *ping, *pong;
static uint64_t scans_left, found, found_most;
static double last_played, longest_gap, longest_answer, answers;
static bool is_measuring;

static void hear(struct player *player, uint8_t type, const uint8_t *payload, uint32_t size);

void run_ldn_scan(void) {
    player_count = option.clients + 3;
    players = allocate(player_count, sizeof *players);
    on_packet = hear;
    fill_networks(0, option.clients, 1, title);
    fill_networks(option.clients, 2, 2, title + 1);
    ping = &players[option.clients], pong = ping + 1, scanner = ping + 2;
    hello(scanner, (uint32_t)option.clients + 2);
    for (uint64_t i = 0; i < player_count; i++) listen_to(&players[i]);
    say_to(ping, pong->address);
    for (int i = 0; i < 100; i++) turn(10);
    ready("networks", option.clients);
    begin_measuring();
    is_measuring = true;
    scans_left = option.messages;
    phase.unfinished = 1;
    phase.messages = 0;
    last_played = now();
    ask_for_networks(scanner, title);
    run_until_finished();
    phase.messages = option.messages;
    print_result(
        ", \"networks\": %llu, \"found\": %llu, \"mean_answer_seconds\": %.6f, \"longest_answer_seconds\": %.6f, "
        "\"longest_gap_seconds\": %.6f",
        (unsigned long long)option.clients, (unsigned long long)found_most, answers / (double)option.messages,
        longest_answer, longest_gap);
    hold();
}

static void hear(struct player *player, uint8_t type, const uint8_t *payload, uint32_t size) {
    (void)payload;
    double time = now();
    if (player == scanner && type == ldn_scan_reply && size == 0x480) {
        found++;
    } else if (player == scanner && type == ldn_scan_end) {
        double took = time - player->asked_at;
        if (took > deadline) fail("a scan was answered after %.3f s", took);
        if (!found) fail("a scan found nothing");
        if (took > longest_answer) longest_answer = took;
        answers += took;
        if (found > found_most) found_most = found;
        found = 0;
        if (--scans_left == 0) phase.unfinished = 0;
        else ask_for_networks(scanner, title);
    } else if (type == ldn_proxy_data) {
        if (is_measuring && time - last_played > longest_gap) longest_gap = time - last_played;
        last_played = time;
        say_to(player, player == ping ? pong->address : ping->address);
    } else {
        fail("player %u heard type %u, %u bytes", player->endpoint.pair, type, size);
    }
}
