/// Bytes as people read them: `98.4 MB`.
public func byteText(_ bytes: Int64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"]
    var value = Double(bytes), unit = 0
    while value >= 999.5, unit < units.count - 1 {
        value /= 1000
        unit += 1
    }
    guard unit > 0 else { return "\(bytes) B" }
    let tenths = (value * 10).rounded() / 10
    return "\(value < 99.95 ? "\(tenths)" : "\(Int(value.rounded()))") \(units[unit])"
}
