fn main() {
    hub_otel::current().record("plan", Plan);
}

struct Plan;
