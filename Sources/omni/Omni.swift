@main
struct Omni {
    static func main() {}
}
