import ArgumentParser
import OmniText
import Testing

@testable import omni

@Suite struct WorkerSettingsTests {
    @Test func threadsWaitBrieflyUnlessTheUserHasChosen() {
        #expect(WorkerEnvironment.additions(to: ["PATH": "/bin"])["GOMP_SPINCOUNT"] != nil)
        for own in ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"] { #expect(WorkerEnvironment.additions(to: [own: "x"])["GOMP_SPINCOUNT"] == nil) }
    }

    @Test func aCrashIsOverAtOnceUnlessTheUserWantsBacktraces() {
        #expect(WorkerEnvironment.additions(to: [:])["SWIFT_BACKTRACE"] == "enable=no")
        #expect(WorkerEnvironment.additions(to: ["SWIFT_BACKTRACE": "enable=yes"])["SWIFT_BACKTRACE"] == nil)
    }

    @Test func theEnvironmentNamesThreads() throws {
        #expect(try EngineFlags.threads(in: [:]) == nil && EngineFlags.threads(in: ["OMNI_THREADS": ""]) == nil)
        #expect(try EngineFlags.threads(in: ["OMNI_THREADS": "3"]) == 3)
        for wrong in ["0", "-1", "two", "1.5"] {
            #expect(throws: ValidationError.self) { try EngineFlags.threads(in: ["OMNI_THREADS": wrong]) }
        }
    }

    @Test func whatIsKeptForReuseIsHandedToWorkers() throws {
        let flags = try EngineFlags.parse(["--prefix-cache-ttl", "0"])
        #expect(try EngineFlags.parse(flags.arguments).prefixCacheTtl == 0)
        #expect(throws: (any Error).self) { try EngineFlags.parse(["--prefix-cache-ttl", "-1"]) }
    }

    @Test func guessesAreHandedToWorkersWithTheDraftModelsFile() throws {
        var flags = try EngineFlags.parse(["--model-draft", "small"])
        #expect(try flags.speculation.model == "small" && EngineFlags.parse(flags.arguments).speculation.model == "small")
        try flags.locateDraft { "/models/\($0).gguf" }
        #expect(try EngineFlags.parse(flags.arguments).speculation.model == "/models/small.gguf")
        flags = try EngineFlags.parse(["--speculative-config", #"{"model":"small","num_speculative_tokens":3}"#])
        try flags.locateDraft { "/models/\($0).gguf" }
        let worker = try EngineFlags.parse(flags.arguments).speculation
        #expect(worker.model == "/models/small.gguf" && worker.tokens == 3)
        flags = try EngineFlags.parse(["--speculative-config", #"{"method":"none"}"#])
        try flags.locateDraft { _ in throw ValidationError("nothing is to be found") }
        #expect(try !EngineFlags.parse(flags.arguments).speculation.isOn)
    }

    @Test func aWrongSpeculativeConfigIsRefusedByName() throws {
        for (arguments, word) in [
            (["--speculative-config", "{"], "--speculative-config"), (["--speculative-config", #"{"method":"medusa"}"#], "method"),
            (["--speculative-config", #"{"draft_tensor_parallel_size":1}"#], "draft_tensor_parallel_size"),
            (["--model-draft", "a", "--speculative-config", #"{"model":"b"}"#], "--model-draft"),
        ] {
            do {
                _ = try EngineFlags.parse(arguments)
                Issue.record("\(arguments) was taken")
            } catch { #expect(EngineFlags.message(for: error).contains(word), "\(EngineFlags.message(for: error))") }
        }
    }
}
