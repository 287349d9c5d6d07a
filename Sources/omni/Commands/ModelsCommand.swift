import ArgumentParser
import Dispatch
import Foundation
import OmniAPI
import OmniEngine
import OmniModels

/// `omni models`: what is on this machine, and how more gets there.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "List the models on this machine, bring one from the Hub, or make a GGUF of a checkpoint.",
        subcommands: [List.self, Pull.self, Convert.self], defaultSubcommand: List.self)
}

extension ModelsCommand {
    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the models that can be served.")

        @Flag(help: "Print JSON.") var json = false
        @Option(help: ArgumentHelp("The data folder.", valueName: "folder")) var dataDir: String?

        func run() async throws {
            let inventory = ModelInventory(ModelResolver(locations: .fromEnvironment(dataDirectory: dataDir)))
            print(json ? Self.json(inventory).jsonText : Self.table(inventory))
        }
    }

    struct Pull: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Bring a model from the Hugging Face Hub into its cache.",
            discussion: """
                MODEL is owner/name, with :QUANT for one of several GGUF files (owner/name:Q4_K_M) or :PATTERN for any others \
                ('owner/name:*.onnx'). With a transformer of a picture or video model come the text encoder, VAE and tokenizer that it needs. \
                An interrupted pull goes on where it stopped. HF_ENDPOINT, HF_TOKEN, HF_HOME and HF_HUB_CACHE \
                are honoured.
                """)

        @Argument(help: "owner/name, owner/name:QUANT or owner/name:PATTERN.") var model: String
        @Flag(help: "Print the result as JSON; progress goes to the standard error.") var json = false
        @Flag(help: "Print no progress.") var quiet = false

        func run() async throws {
            let locations = ModelLocations.fromEnvironment()
            if let starter = StarterModel.named(model) {
                throw Failure("\(starter.name) comes with swift-omni, not from the Hub: `omni setup` puts it in place.")
            }
            let display = PullDisplay(quiet: quiet)
            let interrupt = Self.onInterrupt { display.interrupted(model: model) }
            defer { interrupt.cancel() }
            do {
                let result = try await HubClient.withClient(try .fromEnvironment(locations: locations)) { client in
                    let result = try await client.pull(ModelReference(model), onEvent: display.show)
                    // A transformer alone needs a text encoder and more.
                    for companion in Self.companions(of: model, locations) {
                        _ = try await client.pull(ModelReference(companion), onEvent: display.show)
                    }
                    return result
                }
                display.end()
                report(result, locations)
            } catch {
                display.end()
                throw Failure("\(error)")
            }
        }

        /// What a model that was brought still lacks, where that is known.
        private static func companions(of model: String, _ locations: ModelLocations) -> [String] {
            do throws(ModelError) {
                _ = try ModelResolver(locations: locations).resolve(model)
                return []
            } catch {
                return error.companions
            }
        }

        /// Says where the files are, and whether they can be served.
        private func report(_ result: PullResult, _ locations: ModelLocations) {
            let size = result.files.reduce(0) { $0 + $1.size }
            if json {
                print(
                    JSONValue.object(
                        JSONObject([
                            ("model", .string(model)), ("path", .string(result.snapshot.path)), ("size", .integer(size)),
                            ("files", .array(result.files.map { .string($0.path) })),
                        ])
                    ).jsonText)
                return
            }
            print("\(result.files.count) file\(result.files.count == 1 ? "" : "s"), \(byteText(size)), in \(result.snapshot.path)")
            do throws(ModelError) {
                let found = try ModelResolver(locations: locations).resolve(model)
                print("Serve it (\(found.kind.rawValue)): omni serve \(model)")
            } catch {
                print("It cannot be served as it is: \(error)")
            }
        }

        /// Ctrl-C ends the program at once: what has arrived is on the disk already.
        private static func onInterrupt(_ tell: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
            signal(SIGINT, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
            source.setEventHandler {
                tell()
                Foundation.exit(130)
            }
            source.resume()
            return source
        }
    }
}

/// An error that is printed as it stands, without a usage text.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

extension ModelsCommand.List {
    static func table(_ inventory: ModelInventory) -> String {
        var rows = [["MODEL", "KIND", "SIZE", "SOURCE", "PATH"]]
        rows += inventory.models.map { model in
            [
                model.reference, model.kind.rawValue + (model.mmproj == nil ? "" : "+mmproj"), byteText(model.size), model.source.rawValue,
                model.path.path,
            ]
        }
        let widths = rows[0].indices.dropLast().map { column in rows.map { $0[column].count }.max() ?? 0 }
        var lines = rows.map { row in
            row.indices.map { $0 < widths.count ? row[$0].padding(toLength: widths[$0], withPad: " ", startingAt: 0) : row[$0] }.joined(
                separator: "  ")
        }
        if inventory.models.isEmpty {
            lines = ["No model yet. `omni setup` fetches the starter models; omni models pull OWNER/NAME any other."]
        }
        let broken = inventory.faults.filter { $0.fault != .unsupported }
        let others = inventory.faults.filter { $0.fault == .unsupported }.map(\.model)
        if !broken.isEmpty { lines += ["", "Not whole:"] + broken.map(\.description) }
        if !others.isEmpty { lines += ["", "Of kinds that swift-omni does not load: \(others.joined(separator: ", "))"] }
        return lines.joined(separator: "\n")
    }

    static func json(_ inventory: ModelInventory) -> JSONValue {
        let models = inventory.models.map { model in
            JSONValue.object(
                JSONObject([
                    ("model", .string(model.reference)), ("kind", .string(model.kind.rawValue)), ("size", .integer(model.size)),
                    ("source", .string(model.source.rawValue)), ("path", .string(model.path.path)), ("mmproj", .string(model.mmproj?.path)),
                    ("architecture", .string(model.architecture)),
                ]))
        }
        let faults = inventory.faults.map { fault in
            JSONValue.object(
                JSONObject([
                    ("model", .string(fault.model)), ("fault", .string(fault.fault.rawValue)), ("problem", .string(fault.problem)),
                    ("missing", .array(fault.missing.map { .string($0) })), ("remedy", .string(fault.remedy)),
                ]))
        }
        return ["models": .array(models), "faults": .array(faults)]
    }
}
