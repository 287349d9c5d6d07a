import Foundation
import OmniAPI

/// Runs a group in this process and says, a line of JSON for each, what it begins and how it ended: whoever reads knows which case was
/// under way when the lines end.
public struct KernelRun {
    public let group: String
    /// Leaves out all cases up to this one.
    public var after: String?
    public var plant: Plant?

    public init(group: String, after: String? = nil, plant: Plant? = nil) {
        self.group = group
        self.after = after
        self.plant = plant
    }

    /// Throws when there is no such group, or what its cases share cannot be made.
    public func run(write: (JSONValue) -> Void) throws {
        guard let group = KernelGroup.all.first(where: { $0.name == group }) else {
            throw KernelRefusal(description: "There are no kernels called `\(group)`.")
        }
        var cases = try group.cases()[...]
        if let after { cases = cases.drop { $0.name != after }.dropFirst() }
        for one in cases {
            write(["begin": .string(one.name), "kernel": .string(one.kernel), "size": .string(one.size), "picked": .bool(one.isPicked)])
            let spoils = plant?.name == one.name
            if spoils { plant?.strike() }
            let start = ContinuousClock.now
            var outcome = KernelCase.Outcome(share: .infinity)
            do {
                outcome = try one.run(spoils)
            } catch {
                outcome.detail = "\(error)"
            }
            let time = (ContinuousClock.now - start) / .seconds(1)
            // JSON has no infinity.
            write([
                "end": .string(one.name), "share": .number(min(outcome.share, 1e30)), "seconds": .number(time),
                "detail": .string(outcome.detail),
            ])
        }
        write(["done": true])
    }
}
