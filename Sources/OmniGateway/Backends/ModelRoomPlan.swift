import OmniAPI
import OmniEngine

/// Who makes room for a model that is to be loaded. Pure values.
enum ModelRoomPlan {
    /// A model with a process.
    struct Resident: Sendable, Equatable {
        var id: String
        var isPinned = false
        /// It serves, and nobody asks anything of it.
        var isIdle = false
        /// Time since it was last asked.
        var idle = Duration.zero
        /// What loading it takes.
        var loading = Duration.seconds(1)
        var bytes = 0
    }

    enum Decision: Sendable, Equatable {
        case enter
        /// Room may be had when this one sleeps.
        case evict(String)
        case wait
        case never(reason: String)
    }

    struct Limits: Sendable, Equatable {
        /// Models that may be loaded.
        var models: Int?
        var bytes: Int?

        /// - Parameter bytes: what the newcomer will take, as far as that is known.
        func decision(bytes: Int, among residents: [Resident]) -> Decision {
            let used = residents.reduce(0) { $0 + $1.bytes }
            let isFull = models.map { residents.count >= $0 } ?? false
            let isOver = self.bytes.map { used + bytes > $0 } ?? false
            guard isFull || isOver else { return .enter }
            let pinned = residents.filter(\.isPinned)
            if let limit = self.bytes, pinned.reduce(bytes, { $0 + $1.bytes }) > limit {
                let beside = pinned.isEmpty ? "" : " beside those that are pinned"
                return .never(reason: "it takes about \(byteText(Int64(bytes)))\(beside), of \(byteText(Int64(limit))) in all.")
            }
            if let models, pinned.count >= models { return .never(reason: "all \(models) places are pinned.") }
            // Who was not asked for long goes first, but sooner one that is soon back.
            func weight(_ one: Resident) -> Double { one.idle.seconds / max(one.loading.seconds, 0.1) }
            let idle = residents.filter { $0.isIdle && !$0.isPinned }
            return idle.max { weight($0) < weight($1) }.map { .evict($0.id) } ?? .wait
        }
    }
}
