import Foundation

/// A Whisper file of whisper.cpp's as small as can be: its lengths are right, and nothing in it makes sense.
package func whisperFile(vocabulary: Int = 51_865, audioLayers: Int = 4, textLayers: Int = 4, bands: Int = 80) -> Data {
    var data = Data()
    func number(_ value: Int) { withUnsafeBytes(of: Int32(value).littleEndian) { data.append(contentsOf: $0) } }
    number(0x6767_6D6C)
    for value in [vocabulary, 1500, 384, 6, audioLayers, 448, 384, 6, textLayers, bands, 1] { number(value) }
    // Mel filters.
    number(2)
    number(4)
    data.append(Data(count: 2 * 4 * 4))
    // Words.
    number(2)
    for word in ["a", "bc"] {
        number(word.utf8.count)
        data.append(Data(word.utf8))
    }
    for index in 0..<(audioLayers * 15 + textLayers * 24 + 8) {
        let name = "tensor.\(index)"
        number(2)
        number(name.utf8.count)
        number(index % 2)
        number(3)
        number(1)
        data.append(Data(name.utf8))
        data.append(Data(count: index % 2 == 0 ? 12 : 6))
    }
    return data
}
