import Foundation
import OmniAPI
import OmniDevices
import OmniDiffusion
import OmniEngine
import OmniTensor
import OmniText

/// Runs our graphs on a device and on the CPU, and compares: operations one by one, tiny models of every family, text.
///
///     swift run -c release gpu-check [--device NAME] [--root CHECKOUT] [--only operations,pictures,videos,text,cancel,memory]
///     gpu-check --device NAME --bench FOLDER-OR-GGUF [--side 512] [--steps 4]
///
/// Ends with 1 where something is not as it should be. Its lines are Markdown.
@main
struct GPUCheck {
    static func main() async throws {
        let arguments = Arguments(Array(CommandLine.arguments.dropFirst()))
        for device in ComputeDevice.all {
            print("device \(device.name): \(device.summary), \(device.kind.rawValue), \(megabytes(device.memory.free)) of \(megabytes(device.memory.total)) free")
        }
        let device = try arguments["--device"].map(ComputeDevice.named) ?? ComputeDevice.preferredGPU ?? ComputeDevice.named("CPU")
        print("checking \(device.name)\n")
        if let model = arguments["--bench"] { return try await Bench(device: device, arguments: arguments).run(model) }
        let root = arguments["--root"] ?? FileManager.default.currentDirectoryPath
        let only = arguments["--only"].map { Set($0.split(separator: ",").map(String.init)) }
        let checks: [(String, () async throws -> Bool)] = [
            ("operations", { try Operations(device: device, after: arguments["--after"]).run() }),
            ("pictures", { try await Pictures(device: device, root: root).run() }),
            ("videos", { try await Videos(device: device, root: root).run() }),
            ("text", { try await Text(device: device, root: root, model: arguments["--text"]).run() }),
            ("cancel", { try await Cancelling(device: device, root: root).run() }),
            ("memory", { try await Memory(device: device, root: root).run() }),
        ]
        var failed: [String] = []
        for (name, check) in checks where only?.contains(name) ?? true {
            print("\n## \(name)\n")
            do {
                if try await !check() { failed.append(name) }
            } catch {
                print("FAILED: \(error)")
                failed.append(name)
            }
        }
        print(failed.isEmpty ? "\nAll is well on \(device.name)." : "\nNot well on \(device.name): \(failed.joined(separator: ", ")).")
        if !failed.isEmpty { exit(1) }
    }
}

/// Written through: the next kernel may end this process.
func print(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// `--name value` pairs.
struct Arguments {
    private let list: [String]
    init(_ list: [String]) { self.list = list }
    subscript(name: String) -> String? { list.firstIndex(of: name).flatMap { $0 + 1 < list.count ? list[$0 + 1] : nil } }
    func number(_ name: String) -> Int? { self[name].flatMap { Int($0) } }
}

func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }

/// Each operation of our graphs: whether the device does it, and how far its numbers are from the CPU's.
struct Operations {
    let device: ComputeDevice
    /// Begins with the case that follows the one of that name: a driver's fault ends the process.
    let after: String?

    func run() throws -> Bool {
        print("| graph | operations on \(device.name) | left to the CPU | off the CPU's numbers | allowed |\n|---|---|---|---|---|")
        let rows = try OperationTable(device).run(after: after) { graph in
            FileHandle.standardError.write(Data("computing \(graph)\n".utf8))
        } end: { row in
            let (here, there) = (row.supported.map(\.description).joined(separator: "; "), row.missing.map(\.description).joined(separator: "; "))
            let error = row.error.map { String(format: "%.1e", $0) } ?? "not finite"
            print("| \(row.name) | \(here) | \(there.isEmpty ? "–" : there) | \(row.isRight ? error : "**\(error)**") | \(String(format: "%.0e", row.tolerance)) |")
        }
        let wrong = rows.filter { !$0.isRight }
        print("\n\(rows.count) graphs, \(wrong.count) wrong, \(rows.count { !$0.missing.isEmpty }) with operations that the CPU does.")
        return wrong.isEmpty
    }
}

/// Two sets of values in 0…1.
struct Distance {
    /// Peak signal to noise, dB.
    let noise: Double
    /// Distance over length.
    let relative: Double

    init(_ values: [Float], _ reference: [Float]) {
        let square = zip(values, reference).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        let sound = values.count == reference.count && values.allSatisfy(\.isFinite) && !values.isEmpty
        noise = sound ? -10 * log10(max(square / Double(values.count), 1e-12)) : 0
        relative = sound ? (square / max(reference.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot() : .infinity
    }
}

/// What a model was on the device, for a table's row.
struct Placement {
    let details: JSONObject
    let log: OperationLog?

    var deviceBytes: Int { details["device_bytes"]?.intValue ?? 0 }
    var bytes: Int { details["bytes"]?.intValue ?? 0 }
    /// What the device left to the CPU.
    var missing: [GraphOperation] { (log?.supported ?? [:]).filter { !$0.value }.map(\.key).sorted() }
    var weights: String { "\(megabytes(deviceBytes)) of \(megabytes(bytes))" }
    var operations: String {
        let missing = missing
        return "\(log?.supported.count ?? 0) kinds, \(log?.nodes ?? 0) nodes\(missing.isEmpty ? "" : ", on the CPU: \(missing.map(\.description).joined(separator: "; "))")"
    }
}

extension DiffusionOptions {
    /// For the device, or for the CPU with its own kernels.
    init(on device: ComputeDevice?, rounding: Rounding) {
        self.init()
        self.device = device?.name ?? "CPU"
        self.rounding = rounding
        notesOperations = true
    }
}

/// Tiny image models, device beside CPU.
struct Pictures {
    let device: ComputeDevice
    let root: String

    func run() async throws -> Bool {
        print("| model | rounding | weights on \(device.name) | PSNR, dB | relative error | operations | seconds, device and CPU |\n|---|---|---|---|---|---|---|")
        var isRight = true
        for (folder, side, steps) in [("Tests/Fixtures/zimage/small", nil, 4), ("Models/omni-emoji", Optional(128), 8), ("Tests/Fixtures/qwen-image/small", nil, 4)] {
            guard FileManager.default.fileExists(atPath: "\(root)/\(folder)") else { continue }
            let reference = try await picture(folder, side, steps, nil, .exact)
            for rounding in [DiffusionOptions.Rounding.exact, .fast] {
                let here = try await picture(folder, side, steps, device, rounding)
                let distance = Distance(here.values, reference.values)
                let onDevice = !device.isGPU || here.placement.deviceBytes > here.placement.bytes * 9 / 10
                isRight = isRight && distance.noise >= 30 && onDevice
                print(
                    "| \(folder) | \(rounding) | \(here.placement.weights) | \(String(format: "%.1f", distance.noise)) | \(String(format: "%.1e", distance.relative)) "
                        + "| \(here.placement.operations) | \(String(format: "%.2f, %.2f", here.seconds, reference.seconds)) |")
            }
        }
        return isRight
    }

    func picture(_ folder: String, _ side: Int?, _ steps: Int, _ device: ComputeDevice?, _ rounding: DiffusionOptions.Rounding) async throws
        -> (values: [Float], placement: Placement, seconds: Double)
    {
        let engine = try await DiffusionEngine.load(.folder("\(root)/\(folder)"), options: DiffusionOptions(on: device, rounding: rounding))
        var request = ImageRequest(prompt: "a red fox runs over the green hill", seed: 42)
        (request.width, request.height, request.steps) = (side, side, steps)
        var values: [Float] = []
        let start = ContinuousClock.now
        for try await event in try await engine.generate(request, scope: RequestScope(id: "check")) {
            if case .image(_, let image) = event { values += image.values }
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        let placement = Placement(details: engine.card.details, log: engine.operations)
        await engine.shutdown()
        return (values, placement, seconds)
    }
}

/// Tiny video models, device beside CPU.
struct Videos {
    let device: ComputeDevice
    let root: String

    func run() async throws -> Bool {
        print("| model | rounding | weights on \(device.name) | latents' relative error | PSNR, dB | operations | seconds, device and CPU |\n|---|---|---|---|---|---|---|")
        var isRight = true
        let models = [("Tests/Fixtures/wan/t2v", nil, 9, 4), ("Tests/Fixtures/wan/ti2v", nil, 9, 4), ("Models/omni-emoji-motion", Optional(64), 9, 8)]
        for (folder, side, frames, steps) in models where FileManager.default.fileExists(atPath: "\(root)/\(folder)") {
            let reference = try await clip(folder, side, frames, steps, nil, .exact)
            for rounding in [DiffusionOptions.Rounding.exact, .fast] {
                let here = try await clip(folder, side, frames, steps, device, rounding)
                let (latents, frames) = (Distance(here.latents, reference.latents), Distance(here.values, reference.values))
                let onDevice = !device.isGPU || here.placement.deviceBytes > here.placement.bytes * 9 / 10
                isRight = isRight && frames.noise >= 30 && latents.relative <= (rounding == .exact ? 2e-2 : 6e-2) && onDevice
                print(
                    "| \(folder) | \(rounding) | \(here.placement.weights) | \(String(format: "%.1e", latents.relative)) | \(String(format: "%.1f", frames.noise)) "
                        + "| \(here.placement.operations) | \(String(format: "%.2f, %.2f", here.seconds, reference.seconds)) |")
            }
        }
        return isRight
    }

    func clip(_ folder: String, _ side: Int?, _ frames: Int, _ steps: Int, _ device: ComputeDevice?, _ rounding: DiffusionOptions.Rounding) async throws
        -> (values: [Float], latents: [Float], placement: Placement, seconds: Double)
    {
        let engine = try await VideoEngine.load(.folder("\(root)/\(folder)"), options: DiffusionOptions(on: device, rounding: rounding))
        var request = VideoRequest(prompt: "a red ball jumps", seed: 42)
        (request.width, request.height, request.frames, request.steps) = (side, side, frames, steps)
        let seen = Seen()
        let start = ContinuousClock.now
        try await engine.generate(request, scope: RequestScope(id: "check")) { event in
            switch event {
            case .latents(let latents): seen.add(latents: latents.values)
            case .frame(_, _, let image): seen.add(image.values)
            case .progress: break
            }
        }
        let seconds = start.duration(to: .now) / .seconds(1)
        let placement = Placement(details: engine.card.details, log: engine.operations)
        await engine.shutdown()
        return (seen.values, seen.latents, placement, seconds)
    }
}
