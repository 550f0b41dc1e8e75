import Testing

/// What an operator sees: the real `baton` as a process of its own, spoken to over loopback.
///
/// One test after the other, for each has a server of its own and some load the machine.
@Suite(.serialized, .timeLimit(.minutes(5))) enum LifecycleTests {}
