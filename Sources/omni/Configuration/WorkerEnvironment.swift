/// What workers find in their environment besides the server's own: settings of libraries that read them as they load.
enum WorkerEnvironment {
    /// How often a thread of libgomp looks at a barrier before it sleeps there. Its own choice, milliseconds of looking, stops both
    /// programs for whole time slices where another one wants a core; a few microseconds cost nothing when alone
    /// (Benchmarks/text/README.md).
    static let spinCount = ["GOMP_SPINCOUNT": "300"]

    /// Swift's backtracer holds a process that has crashed for as long as it reads symbols, half a minute in a debug build, and with it
    /// every request that waits for the worker.
    static let noBacktrace = ["SWIFT_BACKTRACE": "enable=no"]

    /// What is set beside `own`, which goes first: who has chosen how threads wait, or wants backtraces, has chosen.
    static func additions(to own: [String: String]) -> [String: String] {
        (own["OMP_WAIT_POLICY"] == nil && own["GOMP_SPINCOUNT"] == nil ? spinCount : [:])
            .merging(own["SWIFT_BACKTRACE"] == nil ? noBacktrace : [:]) { first, _ in first }
    }
}
