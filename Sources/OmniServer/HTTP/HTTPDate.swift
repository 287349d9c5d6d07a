import Foundation
import NIOConcurrencyHelpers

/// The `Date` header's value, formatted once a second (RFC 9110, 5.6.7).
final class HTTPDate: Sendable {
    private let cached = NIOLockedValueBox((second: 0, text: ""))

    var now: String {
        var time = time(nil)
        return cached.withLockedValue { cached in
            if cached.second != time {
                var parts = tm()
                gmtime_r(&time, &parts)
                var buffer = [CChar](repeating: 0, count: 40)
                let length = strftime(&buffer, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
                cached = (time, String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            return cached.text
        }
    }
}
