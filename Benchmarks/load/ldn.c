#include "ldn.h"

#include <string.h>

#include "basics.h"
#include "ldn_clients.h"
#include "options.h"
#include "results.h"

static uint64_t senders;            // of each network
static uint64_t quota;              // datagrams of each sender, since the start
static double latency_sum, latency_most;

static void hear(struct player *player, uint8_t type, const uint8_t *payload, uint32_t size);
static void say_broadcasts(uint64_t more);
static uint64_t begin_networks(void);

// Every sender keeps one broadcast under way: it sends the next when it has heard its own.
void run_ldn_fanout(void) {
    uint64_t networks = begin_networks();
    senders = option.senders < ldn_room ? option.senders : ldn_room;
    say_broadcasts(option.warmup / (networks * senders * ldn_room) + 1);
    ready("players", player_count);
    begin_measuring();
    say_broadcasts(option.messages / (networks * senders * ldn_room) + 1);
    print_result(", \"players\": %llu, \"size\": %llu", (unsigned long long)player_count, (unsigned long long)option.size);
    hold();
}

static void say_broadcasts(uint64_t more) {
    quota += more;
    phase.messages = phase.bytes = 0;
    phase.unfinished = player_count;
    for (uint64_t i = 0; i < player_count; i++)
        if (i % ldn_room < senders) broadcast(&players[i]);
    run_until_finished();
}

// Everybody broadcasts at a steady rate, whatever becomes of it; in the end everything must have arrived.
void run_ldn_crowd(void) {
    begin_networks();
    senders = 0;
    ready("players", player_count);
    begin_measuring();
    double begin = now(), seconds = option.seconds > 0 ? option.seconds : 30;
    double rate = (double)(player_count * option.rate);
    uint64_t sent = 0;
    phase.unfinished = player_count;
    while (now() - begin < seconds) {
        uint64_t due = (uint64_t)((now() - begin) * rate);
        for (; sent < due; sent++) broadcast(&players[sent % player_count]);
        turn(1);
    }
    for (; sent % player_count; sent++) broadcast(&players[sent % player_count]);
    quota = sent / player_count;
    senders = ldn_room;
    for (uint64_t i = 0; i < player_count; i++)
        if (players[i].received == quota * ldn_room) phase.unfinished--;
    run_until_finished();
    print_result(", \"players\": %llu, \"sent\": %llu, \"mean_latency_seconds\": %.6f, \"longest_latency_seconds\": %.6f",
        (unsigned long long)player_count, (unsigned long long)sent, latency_sum / (double)phase.messages, latency_most);
    hold();
}

static uint64_t begin_networks(void) {
    uint64_t networks = option.clients / ldn_room;
    if (!networks) fail("--clients must be 8 or more");
    if (option.size < 16) fail("--size must be 16 or more");
    player_count = networks * ldn_room;
    players = allocate(player_count, sizeof *players);
    on_packet = hear;
    fill_networks(0, player_count, ldn_room, 1);
    for (uint64_t i = 0; i < player_count; i++) listen_to(&players[i]);
    return networks;
}

static void hear(struct player *player, uint8_t type, const uint8_t *payload, uint32_t size) {
    uint32_t me = player->endpoint.pair, from, number;
    double time;
    if (type != ldn_proxy_data || size != 0x14 + option.size) fail("player %u heard type %u, %u bytes", me, type, size);
    memcpy(&from, payload + 20, 4);
    memcpy(&number, payload + 24, 4);
    memcpy(&time, payload + 28, 8);
    if (from / ldn_room != me / ldn_room) fail("player %u heard player %u of another network", me, from);
    if (number != player->heard[from % ldn_room]++) fail("player %u heard %u of player %u in place of another", me, number, from);
    time = now() - time;
    latency_sum += time;
    if (time > latency_most) latency_most = time;
    phase.messages++;
    phase.bytes += option.size;
    player->received++;
    if (!senders) return;
    if (player->received == quota * senders) phase.unfinished--;
    if (from == me && player->sent < quota && senders && !option.seconds) broadcast(player);
}

// The first sessions make the master allocate what it needs only once; the others show what one costs.
void run_ldn_idle(void) {
    uint64_t warm = option.warmup < option.clients ? option.warmup : option.clients;
    player_count = option.clients;
    players = allocate(player_count, sizeof *players);
    for (uint64_t i = 0; i < warm; i++) hello(&players[i], (uint32_t)i);
    ready("sessions", warm);
    begin_measuring();
    for (uint64_t i = warm; i < player_count; i++) hello(&players[i], (uint32_t)i);
    print_result(", \"pairs\": %llu", (unsigned long long)(player_count - warm));
    hold();
}
