import ArgumentParser
import Foundation
import Logging
import OmniAPI
import OmniConversion
import OmniEngine
import OmniModels

extension ModelsCommand {
    /// `omni models convert`.
    struct Convert: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a GGUF of a language model's safetensors.",
            discussion: """
                SOURCE is a folder as transformers publishes it (config.json, *.safetensors, tokenizer.json), or the owner/name of one in \
                the Hugging Face cache. `omni serve SOURCE` does the same by itself, into the data folder.
                """)

        @Argument(help: "The folder, or owner/name.") var source: String
        @Option(name: .shortAndLong, help: ArgumentHelp("The file to write; NAME-TYPE.gguf here by default.", valueName: "file"))
        var output: String?
        @Option(
            help: ArgumentHelp(
                "One of \(Quantization.names.joined(separator: ", ")); the checkpoint's own type by default.", valueName: "type"))
        var quantization: String?
        @Option(help: ArgumentHelp("Threads; as many as cores by default.", valueName: "count")) var threads: Int?
        @Option(help: ArgumentHelp("The data folder, where models are looked for too.", valueName: "folder")) var dataDir: String?
        @Flag(help: "Print no progress.") var quiet = false

        func run() async throws {
            LoggingSystem.bootstrap { label in
                var handler = StreamLogHandler.standardError(label: label)
                handler.logLevel = .error
                return handler
            }
            let logger = Logger(label: "convert")
            do {
                let folder = try ModelResolver(locations: .fromEnvironment(dataDirectory: dataDir)).resolve(source)
                guard Checkpoint.isOne(folder.path.path) else {
                    throw Failure("\(source) is \(folder.path.path), and no folder with config.json and safetensors.")
                }
                let type = try quantization.map { try Quantization(named: $0) } ?? .source
                let conversion = try Conversion(
                    folder: folder.path.path, quantization: type, threads: threads ?? Processors.current.threads, logger: logger)
                try await convert(conversion)
            } catch let error as ConversionError {
                throw Failure(error.description)
            } catch let error as ModelError {
                throw Failure(error.description)
            }
        }

        private func convert(_ conversion: Conversion) async throws {
            let name = "\(conversion.checkpoint.name)-\(conversion.typeName).gguf"
            let place = URL(filePath: output ?? name), path = place.path
            // `omni serve FILE` finds it there.
            let encoders =
                conversion.checkpoint.hasProjector
                ? place.deletingLastPathComponent().appending(path: "mmproj-\(place.lastPathComponent)").path : nil
            let (start, show) = (ContinuousClock.now, !quiet)
            try await BlockingThread.run(name: "omni-convert") {
                let steps = ProgressSteps()
                try conversion.run(to: path, encoders: encoders) { done in
                    if show, let percent = steps.next(done) { FileHandle.standardError.write(Data("\(percent) %\n".utf8)) }
                }
            }
            let seconds = ((ContinuousClock.now - start) / .seconds(1) * 10).rounded() / 10
            for (path, kind) in [(path, conversion.checkpoint.architectureName), (encoders, "mmproj")] {
                guard let path else { continue }
                let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
                print("\(path): \(byteText(Int64(size))), \(kind), \(seconds) s")
            }
        }
    }
}
