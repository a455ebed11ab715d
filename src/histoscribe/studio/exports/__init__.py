"""What leaves the studio: tables, GeoJSON, a Vitessce configuration, one HTML file."""
