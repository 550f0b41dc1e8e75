#include "results.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "basics.h"
#include "loop.h"
#include "options.h"
#include "runner.h"

static double measured_since, measured_cpu;

static void wait_for_runner(enum word wanted);

void ready(const char *note, uint64_t value) {
    printf("ready {\"suite\": \"%s\", \"%s\": %llu}\n", option.suite, note, (unsigned long long)value);
    fflush(stdout);
}

void begin_measuring(void) {
    wait_for_runner(word_go);
    measured_since = now();
    measured_cpu = own_cpu();
}

void print_result(const char *extra, ...) {
    double seconds = now() - measured_since, cpu = own_cpu() - measured_cpu;
    va_list arguments;
    va_start(arguments, extra);
    printf("result {\"suite\": \"%s\", \"messages\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"own_cpu_seconds\": %.6f",
        option.suite, (unsigned long long)phase.messages, (unsigned long long)phase.bytes, seconds, cpu);
    vprintf(extra, arguments);
    puts("}");
    fflush(stdout);
    va_end(arguments);
}

void hold(void) {
    if (!runner_speaks) return;
    while (phase.word != word_end) turn(1000);      // ends with the runner, or with the alarm set in main
}

static void wait_for_runner(enum word wanted) {
    if (!runner_speaks) return;
    double end = now() + runner_seconds;
    while (phase.word != wanted) {
        if (phase.word == word_end) exit(0);
        if (now() > end) fail("the runner says nothing");
        turn(1000);
    }
    phase.word = word_none;
}
