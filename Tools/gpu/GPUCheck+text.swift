import Foundation
import Logging
import OmniAPI
import OmniDevices
import OmniDiffusion
import OmniEngine
import OmniTensor
import OmniText
import Synchronization

/// What a video's events held.
final class Seen: Sendable {
    private let state = Mutex<(values: [Float], latents: [Float])>(([], []))
    var values: [Float] { state.withLock { $0.values } }
    var latents: [Float] { state.withLock { $0.latents } }
    func add(_ values: [Float]) { state.withLock { $0.values += values } }
    func add(latents: [Float]) { state.withLock { $0.latents += latents } }
}

/// A language model's answers at temperature 0, device beside CPU.
struct Text {
    let device: ComputeDevice
    let root: String
    let model: String?

    private static let prompts = [
        "Once upon a time", "The capital of France is", "One, two, three, four,", "The sea is deep and", "def add(a, b):", "Water boils at", "Dear sir,", "In the year 1969",
    ]

    func run() async throws -> Bool {
        let path = model ?? "\(root)/Tests/Fixtures/text/tiny.gguf"
        let free = device.memory.free
        let engine = try await Self.engine(path, on: device)
        let taken = free - device.memory.free
        let here = try await Self.tokens(engine, Self.prompts)
        await engine.shutdown()
        let cpu = try await Self.engine(path, on: nil)
        let there = try await Self.tokens(cpu, Self.prompts)
        await cpu.shutdown()
        // An answer that takes another of two tokens that are nearly as likely goes its own way from there on.
        let all = there.reduce(0) { $0 + $1.count }
        let equal = zip(here, there).reduce(0) { $0 + zip($1.0, $1.1).count(where: ==) }
        let same = zip(here, there).count(where: ==)
        print("\(path): \(same) of \(there.count) answers equal, \(equal) of \(all) tokens; device memory taken by the model and its cache: \(megabytes(taken))")
        return all > 0 && Double(equal) > 0.5 * Double(all)
    }

    static func engine(_ path: String, on device: ComputeDevice?) async throws -> TextEngine {
        var options = TextEngineOptions()
        options.devices = [device?.name ?? "CPU"]
        (options.maxModelLength, options.speculation) = (2048, try SpeculativeConfig(flag: #"{"method": "none"}"#))
        var logger = Logger(label: "text")
        logger.logLevel = .warning
        guard let engine = try await TextEngine.load(path: path, options: options, lane: FreeLane(), logger: logger) as? TextEngine else {
            throw CheckError(description: "\(path) is no language model that writes")
        }
        return engine
    }

    /// The ids of 24 tokens after each prompt.
    static func tokens(_ engine: TextEngine, _ prompts: [String], count: Int = 24) async throws -> [[String]] {
        var answers: [[String]] = []
        for prompt in prompts {
            var request = CompletionRequest()
            (request.prompts, request.maxTokens, request.logprobs) = ([.text(prompt)], count, 1)
            request.sampling.temperature = 0
            var tokens: [String] = []
            for try await event in try await engine.complete(request, scope: RequestScope(id: "check")).events {
                if case .text(_, _, let logprobs) = event { tokens += logprobs.map(\.token) }
            }
            answers.append(tokens)
        }
        return answers
    }
}

struct CheckError: Error, CustomStringConvertible {
    let description: String
}

/// A picture is stopped while it is drawn.
struct Cancelling {
    let device: ComputeDevice
    let root: String

    func run() async throws -> Bool {
        let engine = try await DiffusionEngine.load(.folder("\(root)/Models/omni-emoji"), options: DiffusionOptions(on: device, rounding: .exact))
        var request = ImageRequest(prompt: "a red fox", seed: 1)
        (request.width, request.height, request.steps) = (128, 128, 50)
        // Whatever a device compiles when it first computes is not counted.
        let scope = RequestScope(id: "cancel")
        var (stopped, steps) = (ContinuousClock.now, 0)
        do {
            for try await event in try await engine.generate(request, scope: scope) {
                guard case .progress(.denoise, let step, _) = event else { continue }
                steps = step
                if step == 2 {
                    stopped = .now
                    scope.cancellation.cancel()
                }
            }
            print("the picture came to its end, though it was cancelled")
            return false
        } catch is CancellationError {
            let milliseconds = stopped.duration(to: .now) / .milliseconds(1)
            print("cancelled in step \(steps + 1) of 50: over \(String(format: "%.1f", milliseconds)) ms later")
        }
        // What comes next is not disturbed.
        request.steps = 1
        var pictures = 0
        for try await event in try await engine.generate(request, scope: RequestScope(id: "next")) { if case .image = event { pictures += 1 } }
        await engine.shutdown()
        print("the next request: \(pictures) picture")
        return pictures == 1
    }
}

/// A request that the device's memory is not enough for is refused before anything is computed.
struct Memory {
    let device: ComputeDevice
    let root: String

    func run() async throws -> Bool {
        let before = device.memory
        let engine = try await DiffusionEngine.load(.folder("\(root)/Models/omni-emoji"), options: DiffusionOptions(on: device, rounding: .exact))
        let loaded = device.memory
        print("\(device.name): \(megabytes(before.free)) free of \(megabytes(before.total)), \(megabytes(loaded.free)) with the model loaded; the machine has \(megabytes(MemoryBudget.current.available ?? 0))")
        var request = ImageRequest(prompt: "a red fox", seed: 1)
        (request.width, request.height, request.steps) = (128, 128, 1)
        let price = try await engine.price(request)
        print("128×128: \(megabytes(price.bytes)) wanted, \(megabytes(price.available ?? 0)) there, largest square \(price.largestSide.map(String.init) ?? "none")")
        // What is free on the device less a little: only the device's own memory can say no.
        let ballast = try Ballast(on: device, leaving: price.bytes / 2)
        defer { withExtendedLifetime(ballast) {} }
        print("with \(megabytes(ballast.bytes)) taken: \(megabytes(device.memory.free)) free")
        do {
            for try await _ in try await engine.generate(request, scope: RequestScope(id: "memory")) {}
            print("the request was served")
            await engine.shutdown()
            // A device that shares the machine's memory may not count what others took.
            return device.memory.free > price.bytes
        } catch let error as ImageModelError {
            print("refused: \(error)")
            await engine.shutdown()
            if case .memory = error { return true }
            return false
        }
    }
}

/// Memory of a device that is held so that nobody else has it.
final class Ballast {
    private var held: [PersistentTensor] = []
    private(set) var bytes = 0

    /// Takes all but about `rest` bytes, a gigabyte at a time; of 16 GB and more only where the device is a GPU with memory of its own.
    init(on device: ComputeDevice, leaving rest: Int) throws {
        guard device.kind == .gpu, device.summary.contains("llvmpipe") == false else { return }
        let backend = try Backend(threads: 1, useGPU: false, device: device)
        while device.memory.free > rest + (8 << 20) {
            let piece = min(1 << 30, device.memory.free - rest) / 4096 * 4096
            guard piece > 1 << 20, let tensor = try? PersistentTensor([1024, piece / 4096], on: backend) else { return }
            held.append(tensor)
            bytes += piece
        }
    }
}

/// How fast a model is, device beside nothing: for a table.
struct Bench {
    let device: ComputeDevice
    let arguments: Arguments

    func run(_ model: String) async throws {
        if model.hasSuffix(".gguf") { try await text(model) } else { try await picture(model) }
    }

    private func text(_ path: String) async throws {
        let engine = try await Text.engine(path, on: device)
        let (answer, length) = (arguments.number("--tokens") ?? 256, arguments.number("--prompt") ?? 1024)
        func timed(_ prompt: [Int], _ tokens: Int) async throws -> (first: Double, all: Double) {
            var request = CompletionRequest()
            (request.prompts, request.maxTokens) = ([.tokens(prompt)], tokens)
            request.sampling.ignoreEOS = true
            request.sampling.temperature = 0
            let start = ContinuousClock.now
            var first: Double?
            for try await event in try await engine.complete(request, scope: RequestScope(id: "bench")).events {
                if case .text = event { first = first ?? start.duration(to: .now) / .seconds(1) }
            }
            let all = start.duration(to: .now) / .seconds(1)
            return (first ?? all, all)
        }
        func prompt(_ seed: Int) -> [Int] { (0..<length).map { 100 + ($0 * 7919 + seed * 104_729) % 200 } }
        _ = try await timed(prompt(0), 8)
        var (reads, writes): ([Double], [Double]) = ([], [])
        for seed in 1...3 {
            let run = try await timed(prompt(seed), answer)
            reads.append(Double(length) / run.first)
            writes.append(Double(answer - 1) / (run.all - run.first))
        }
        print("| \(device.summary) | \((path as NSString).lastPathComponent) | prompt of \(length): \(Int(reads.sorted()[1])) tokens/s | \(answer) tokens: \(String(format: "%.1f", writes.sorted()[1])) tokens/s |")
        await engine.shutdown()
    }

    private func picture(_ folder: String) async throws {
        let (side, steps) = (arguments.number("--side") ?? 512, arguments.number("--steps") ?? 4)
        for rounding in [DiffusionOptions.Rounding.exact, .fast] {
            let free = device.memory.free
            let start = ContinuousClock.now
            let engine = try await DiffusionEngine.load(.folder(folder), options: DiffusionOptions(on: device, rounding: rounding))
            let load = start.duration(to: .now) / .seconds(1)
            let taken = free - device.memory.free
            var request = ImageRequest(prompt: "a red fox runs over the green hill while the sun is setting behind the mountains", seed: 1)
            (request.width, request.height, request.steps, request.guidanceScale) = (side, side, steps, 0)
            let price = try await engine.price(request)
            // The first picture compiles and measures.
            var spans: [String: [Double]] = [:]
            for _ in 0..<2 {
                spans = [:]
                var last = ContinuousClock.now
                for try await event in try await engine.generate(request, scope: RequestScope(id: "bench")) {
                    if case .progress(let stage, _, _) = event {
                        spans[stage.rawValue, default: []].append(last.duration(to: .now) / .seconds(1))
                        last = .now
                    }
                }
            }
            let step = (spans["denoise"] ?? []).sorted()
            print(
                "| \(device.summary) | \((folder as NSString).lastPathComponent) | \(side)² | \(rounding) | loaded \(String(format: "%.1f", load)) s, \(megabytes(taken)) "
                    + "| step \(String(format: "%.1f", 1000 * (step.isEmpty ? 0 : step[step.count / 2]))) ms | decode \(String(format: "%.1f", 1000 * (spans["decode"] ?? []).reduce(0, +))) ms "
                    + "| text \(String(format: "%.1f", 1000 * (spans["encode_prompt"] ?? []).reduce(0, +))) ms | priced \(megabytes(price.bytes)) |")
            await engine.shutdown()
        }
    }
}
