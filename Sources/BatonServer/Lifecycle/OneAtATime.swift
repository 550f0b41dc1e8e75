/// Runs pieces of asynchronous work one after the other, in the order they were asked for.
actor OneAtATime {
    private var last: Task<Void, Never>?

    func run<Result: Sendable>(
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let previous = last
        let task = Task {
            await previous?.value
            return try await body()
        }
        last = Task { _ = await task.result }
        return try await task.value
    }
}
