import Foundation
import NIOConcurrencyHelpers
import OmniAPI

/// The `Date` header's value, formatted once a second.
final class HTTPDate: Sendable {
    private let cached = NIOLockedValueBox((second: 0, text: ""))

    var now: String {
        let second = time(nil)
        return cached.withLockedValue { cached in
            if cached.second != second { cached = (second, HTTPTime(seconds: Double(second)).text) }
            return cached.text
        }
    }
}
