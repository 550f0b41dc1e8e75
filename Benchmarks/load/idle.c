#include "idle.h"

#include "options.h"
#include "pairs.h"
#include "results.h"

// The first pairs make the relay allocate what it needs only once; the others show what a pair costs.
void run_idle(void) {
    uint64_t warm = option.warmup < option.pairs ? option.warmup : option.pairs;
    prepare_pairs();
    open_pairs(0, warm);
    ready("pairs", warm);
    begin_measuring();
    open_pairs(warm, option.pairs);
    print_result(", \"pairs\": %llu", (unsigned long long)(option.pairs - warm));
    hold();
}
