import Foundation

/// A time as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7). Whole seconds.
package struct HTTPTime: Sendable, Equatable {
    /// Since 1970.
    package var seconds: Double

    package init(seconds: Double) { self.seconds = seconds }

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// Nil for what is no such date. The weekday is not compared with the date.
    package init?(_ text: String) {
        let parts = text.split(whereSeparator: { $0 == " " || $0 == "," }).map(String.init)
        guard parts.count == 6, Self.days.contains(parts[0]), let day = Int32(parts[1]), let month = Self.months.firstIndex(of: parts[2]),
            let year = Int32(parts[3]),
            ["GMT", "UTC"].contains(parts[5]), (1...31).contains(day), (1970...9999).contains(year)
        else { return nil }
        let clock = parts[4].split(separator: ":", omittingEmptySubsequences: false).map { Int32($0) ?? -1 }
        guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2]) else { return nil }
        var time = tm()
        (time.tm_year, time.tm_mon, time.tm_mday) = (year - 1900, Int32(month), day)
        (time.tm_hour, time.tm_min, time.tm_sec) = (clock[0], clock[1], clock[2])
        seconds = Double(timegm(&time))
    }

    package var text: String {
        var second = time_t(max(0, min(seconds, 253_402_300_799)))
        var time = tm()
        gmtime_r(&second, &time)
        func padded(_ number: Int32, _ width: Int = 2) -> String {
            String(repeating: "0", count: max(0, width - String(number).count)) + String(number)
        }
        let date = "\(padded(time.tm_mday)) \(Self.months[Int(time.tm_mon)]) \(padded(time.tm_year + 1900, 4))"
        return "\(Self.days[Int(time.tm_wday)]), \(date) \(padded(time.tm_hour)):\(padded(time.tm_min)):\(padded(time.tm_sec)) GMT"
    }
}
