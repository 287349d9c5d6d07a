import Foundation

/// The two kinds of Z-Image that are published: one distilled to few steps without guidance, and the one it was made from.
enum ZImageVariant: Equatable {
    case turbo, base

    /// What requests leave open.
    var steps: Int { self == .turbo ? 8 : 50 }
    var guidanceScale: Float { self == .turbo ? 0 : 5 }

    /// Told by what is in the checkpoint, not by where it lies: the name that it was saved under, where its index keeps one, else
    /// the scheduler, whose fixed shift of the noise levels is 3 for Turbo and 6 for the base.
    ///
    /// - Parameter name: `_name_or_path`; of a path only the last component counts.
    init(name: String?, scheduler: FlowMatchEuler.Config?) {
        let last = name?.split(separator: "/").last?.lowercased() ?? ""
        if last.contains("turbo") {
            self = .turbo
        } else if last.contains("z-image") || last.contains("zimage") {
            self = .base
        } else {
            let isFixed = scheduler?.use_dynamic_shifting != true
            self = isFixed && (2...4).contains(scheduler?.shift ?? 1) ? .turbo : .base
        }
    }

    init(_ checkpoint: Checkpoint, scheduler: FlowMatchEuler.Config?) throws {
        struct Index: Decodable { let _name_or_path: String? }
        let index: Index = try checkpoint.index()
        self.init(name: index._name_or_path, scheduler: scheduler)
    }
}
