import Foundation
import Logging
import OmniModels

/// What the first `omni serve` without a model says: which starters could be fetched. On a terminal it asks.
struct StarterOffer {
    let setup: StarterSetup

    init(dataDirectory: String?) { setup = StarterSetup(locations: .fromEnvironment(dataDirectory: dataDirectory)) }

    /// True once models were fetched. Asks only where none of them is among those `served`: who has removed one is left alone.
    func take(served: [String], _ logger: Logger) async throws -> Bool {
        guard let starters = try? setup.installer().recipes.map(\.name), Set(starters).isDisjoint(with: served) else { return false }
        let names = starters.joined(separator: ", ")
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else {
            logger.notice("most starter models are not here; `omni setup` fetches them", metadata: ["models": .string(names)])
            return false
        }
        FileHandle.standardError.write(Data("Not here yet: \(names). Fetch them now (370 MB)? [Y/n] ".utf8))
        guard let answer = readLine(), ["", "y", "yes"].contains(answer.lowercased()) else { return false }
        try await setup.run()
        return true
    }
}
