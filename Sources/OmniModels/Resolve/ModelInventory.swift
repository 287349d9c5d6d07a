import Foundation

/// Everything that looks like a model on this machine, whole or not: what `omni models list` and `omni doctor` show.
public struct ModelInventory: Sendable {
    /// One line of the list.
    public enum Entry: Sendable, Equatable {
        case model(ResolvedModel)
        case fault(ModelError)
    }

    public var entries: [Entry]

    public var models: [ResolvedModel] { entries.compactMap { if case .model(let model) = $0 { model } else { nil } } }
    public var faults: [ModelError] { entries.compactMap { if case .fault(let fault) = $0 { fault } else { nil } } }

    /// Looks through the data folder, the package's starters and the Hugging Face cache. Blocks on the disk.
    public init(_ resolver: ModelResolver) {
        let locations = resolver.locations
        var references: [String] = []
        for name in names(in: locations.homeModels) {
            let folder = locations.homeModels.appending(path: name)
            let inner = names(in: folder)
            let holdsFiles = inner.contains { !isFolder(folder.appending(path: $0)) }
            // owner/name lies one level deeper than a plain name.
            if holdsFiles || !isFolder(folder) || inner.isEmpty {
                references.append(name)
            } else {
                references += inner.map { "\(name)/\($0)" }.filter { HubID($0) != nil }
            }
        }
        if let package = locations.packageModels {
            references += names(in: package).filter { StarterModel.named($0) != nil && !references.contains($0) }
        }
        references += HubCache(root: locations.hubCache).ids().map(\.description).filter { !references.contains($0) }
        entries = references.flatMap { Self.entries(of: $0, resolver) }
    }

    /// One entry for a model, or one for each quantisation that lies in its folder.
    private static func entries(of reference: String, _ resolver: ModelResolver) -> [Entry] {
        do throws(ModelError) {
            return [.model(try resolver.resolve(reference))]
        } catch {
            guard error.fault == .ambiguous, let folder = folder(of: reference, resolver.locations) else { return [.fault(error)] }
            return GGUFFolder(folder).candidates.map { candidate in
                do throws(ModelError) {
                    return .model(try resolver.resolve("\(reference):\(candidate.name.quant ?? candidate.file)"))
                } catch {
                    return .fault(error)
                }
            }
        }
    }

    private static func folder(of reference: String, _ locations: ModelLocations) -> URL? {
        let home = locations.homeModels.appending(path: reference)
        if isFolder(home) { return home }
        return HubID(reference).flatMap { HubCache(root: locations.hubCache).snapshot(of: $0) }
    }
}
