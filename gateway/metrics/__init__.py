"""What is counted: plain numbers while requests are served, Prometheus's words only when somebody asks for them."""
