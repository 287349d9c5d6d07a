import Foundation
import OmniAPI
import OmniEngine

/// A checkpoint in the layout of the diffusers library: `model_index.json` names the pipeline's class and its components, each
/// in a folder of its own.
struct DiffusersFolder {
    let folder: URL

    /// Nil when the folder has no `model_index.json`.
    init?(_ folder: URL) {
        guard isFile(folder.appending(path: "model_index.json")) else { return nil }
        self.folder = folder
    }

    private struct Component {
        var name: String
        var className: String
    }

    func resolve(as found: ResolvedModel) throws(ModelError) -> ResolvedModel {
        let index = folder.appending(path: "model_index.json")
        guard let object = Self.object(index), let pipeline = object["_class_name"]?.stringValue else {
            throw ModelError(
                .damaged, model: found.reference, "\(index.path) is not a JSON object with a _class_name.", remedy: Remedy.fetch(found))
        }
        let components = object.members.compactMap { member -> Component? in
            guard let pair = member.value.arrayValue, pair.count == 2, let name = pair[1].stringValue, Self.isPlainName(member.key) else {
                return nil
            }
            return Component(name: member.key, className: name)
        }
        guard let family = PipelineFamily.of(pipeline: pipeline) else {
            throw ModelError(
                .unsupported, model: found.reference, "\(pipeline) in \(index.path) is not a pipeline that this build knows.",
                remedy: "The README lists the families that are served; docs/porting.md says how to add one.")
        }
        let unnamed = family.components.filter { name in !components.contains { $0.name == name } }
        let missing = unnamed.map { folder.appending(path: $0) } + components.flatMap(missingFiles)
        guard missing.isEmpty else {
            throw ModelError(
                .missing, model: found.reference, "The \(pipeline) is not whole.", missing: missing.map(\.path), remedy: Remedy.fetch(found)
            )
        }
        var model = found
        model.kind = family.kind
        model.architecture = pipeline
        model.size = folderSize(folder)
        return model
    }

    /// What a component's folder must have and does not.
    private func missingFiles(of component: Component) -> [URL] {
        let place = folder.appending(path: component.name)
        if ["safety_checker", "feature_extractor", "image_processor"].contains(component.name) { return [] }
        if component.className.contains("Scheduler") {
            return [place.appending(path: "scheduler_config.json")].filter { !isFile($0) }
        }
        if component.className.contains("Tokenizer") || component.className.contains("Processor") {
            return OmniModels.names(in: place).contains { isFile(place.appending(path: $0)) }
                ? [] : [place.appending(path: "tokenizer.json")]
        }
        var missing = [place.appending(path: "config.json")].filter { !isFile($0) }
        missing += Self.missingWeights(in: place)
        return missing
    }

    /// The shards that an index names, or one `.safetensors` or `.gguf`. Names of a `variant` such as `.fp16.` do as well.
    private static func missingWeights(in place: URL) -> [URL] {
        let files = OmniModels.names(in: place)
        let indexes = files.filter { $0.contains(".safetensors.index") && $0.hasSuffix(".json") }
        let whole = files.contains {
            ($0.hasSuffix(".safetensors") || $0.hasSuffix(".gguf")) && !$0.contains("-of-") && isFile(place.appending(path: $0))
        }
        if whole { return [] }
        guard let index = indexes.first else { return [place.appending(path: "*.safetensors")] }
        guard let map = object(place.appending(path: index))?["weight_map"]?.objectValue else { return [place.appending(path: index)] }
        let shards = Set(map.members.compactMap { $0.value.stringValue }.filter(isPlainName))
        guard !shards.isEmpty else { return [place.appending(path: index)] }
        return shards.sorted().map { place.appending(path: $0) }.filter { !isFile($0) }
    }

    /// Whether the text is one path component, so that a hostile index cannot point outside.
    private static func isPlainName(_ name: String) -> Bool {
        !name.isEmpty && !name.hasPrefix(".") && !name.contains("/") && !name.contains("\0")
    }

    private static func object(_ file: URL) -> JSONObject? {
        // Indexes of the largest checkpoints have a few megabytes.
        guard let size = fileSize(file), size <= 64 << 20, let data = try? Data(contentsOf: file) else { return nil }
        return (try? JSONValue.parse(data))?.objectValue
    }
}

/// Bytes of all files under a folder, links followed.
func folderSize(_ folder: URL) -> Int64 {
    guard let walk = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil) else { return 0 }
    var sum: Int64 = 0
    for case let url as URL in walk where isFile(url) { sum += fileSize(url) ?? 0 }
    return sum
}
